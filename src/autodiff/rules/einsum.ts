import { attribute, string } from '../../onnx/graph.ts';
import { rule, type Differentiation, type RuleContext } from '../rule.ts';

/** Sums of products by index letters. */
export const einsum = {
  // An operand's gradient is the einsum of dy and the other operands over the same letters.
  Einsum: rule((c) => {
    const { terms, output } = parseEquation(c);
    return terms.map((_, index) => () => operandGradient(c, terms, output, index));
  }),
} satisfies Record<string, Differentiation>;

/** The letters of every operand and of the output; the axes of an ellipsis get capital letters of their own. */
function parseEquation(c: RuleContext): { terms: string[]; output: string } {
  const equation = attribute(c.node, 'equation', 'string').replaceAll(' ', '');
  const [left, right] = equation.split('->') as [string, string | undefined];
  const ranks = c.node.inputs.map((input) => c.rank(input));
  const written = left.split(',');
  const ellipsisRanks = written.map((term, i) =>
    term.includes('...') ? ranks[i]! - term.replace('...', '').length : 0,
  );
  const free = FREE_LETTERS.filter((letter) => !equation.includes(letter)).slice(0, Math.max(...ellipsisRanks));
  const spelt = (term: string, count: number): string => term.replace('...', free.slice(free.length - count).join(''));
  const terms = written.map((term, i) => spelt(term, ellipsisRanks[i]!));
  if (right !== undefined) return { terms, output: spelt(right, free.length) };
  // Without an arrow: the ellipsis, then every letter seen once, in alphabetical order.
  const letters = left.replaceAll('...', '').replaceAll(',', '');
  const once = [...new Set(letters)].filter((letter) => letters.split(letter).length === 2).toSorted();
  return { terms, output: [...free, ...once].join('') };
}

const FREE_LETTERS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ...'abcdefghijklmnopqrstuvwxyz'];

function operandGradient(c: RuleContext, terms: readonly string[], output: string, index: number): string {
  const term = terms[index]!;
  if (new Set(term).size !== term.length)
    throw c.refuse(`operand ${index} of its equation repeats a letter (a diagonal), which has no gradient rule`);
  const shape = c.shape(c.input(index));
  const others = terms.flatMap((other, i) => (i === index ? [] : [{ other, name: c.input(i) }]));
  const available = new Set([...output, ...others.flatMap(({ other }) => [...other])]);
  // Letters that stand in this operand alone were summed away: the gradient is the same along them.
  const kept = [...term].filter((letter) => available.has(letter));
  const equation = `${[output, ...others.map(({ other }) => other)].join(',')}->${kept.join('')}`;
  const gradient = c.op('Einsum', [c.dY, ...others.map(({ name }) => name)], { equation: string(equation) });
  const sides = c.shape(gradient);
  // Along an axis where the operand broadcast, the gradient is longer than the operand: the driver sums it.
  const spread = [...term].map((letter) => (available.has(letter) ? sides[kept.indexOf(letter)]! : 1));
  const target = [...term].map((letter, i) => (available.has(letter) ? spread[i]! : shape[i]!));
  return c.expand(c.reshape(gradient, spread), target);
}

import { toNumbers } from '../../core/tensor.ts';
import { rule, type Differentiation, type RuleContext } from '../rule.ts';

/** Ops of several inputs that broadcast; the driver sums each gradient down to its input's shape. */
export const arithmetic = {
  // d(a + b) = da + db
  Add: rule((c) => [() => c.dY, () => c.dY]),
  // d(a - b) = da - db
  Sub: rule((c) => [() => c.dY, () => c.op('Neg', [c.dY])]),
  // d(a b) = b da + a db
  Mul: rule((c) => [() => c.mul(c.dY, c.input(1)), () => c.mul(c.dY, c.input(0))]),
  // d(a / b) = da / b - y/b db
  Div: rule((c) => [() => c.div(c.dY, c.input(1)), () => c.op('Neg', [c.mul(c.dY, c.div(c.output(0), c.input(1)))])]),
  // d(x^p) = p x^(p-1) dx + y ln(x) dp
  Pow: rule((c) => [() => powGradient(c), () => c.mul(c.dY, c.mul(c.output(0), c.op('Log', [positivePart(c)])))]),
  // Each input that equals the largest (smallest) takes an equal part.
  Max: rule((c) => extremeGradients(c)),
  Min: rule((c) => extremeGradients(c)),
  Sum: rule((c) => c.node.inputs.map(() => () => c.dY)),
  Mean: rule((c) => c.node.inputs.map(() => () => c.scale(c.dY, 1 / c.node.inputs.length))),
  // The condition chooses which one moves. As products with 0 and 1: selecting floats is slow on engines.
  Where: rule(
    (c) => [
      undefined,
      () => c.mul(c.dY, c.toFloat(c.input(0), valueType(c))),
      () => c.mul(c.dY, c.toFloat(c.op('Not', [c.input(0)]), valueType(c))),
    ],
    { inputs: [1, 2] },
  ),
} satisfies Record<string, Differentiation>;

function valueType(c: RuleContext) {
  return c.builder.type(c.input(1)).dtype;
}

function powGradient(c: RuleContext): string {
  const [x, exponent] = [c.input(0), c.input(1)];
  const constant = c.builder.constantValue(exponent);
  const p = constant !== undefined && constant.data.length === 1 ? toNumbers(constant)[0]! : undefined;
  if (p === 1) return c.dY;
  if (p === 2) return c.mul(c.dY, c.scale(x, 2));
  if (p === 3) return c.mul(c.dY, c.scale(c.square(x), 3));
  if (p === 0.5) return c.div(c.scale(c.dY, 0.5), c.output(0));
  if (p !== undefined) return c.mul(c.dY, c.scale(c.op('Pow', [x, c.scalar(p - 1)]), p));
  const power = c.toFloat(exponent);
  return c.mul(c.dY, c.mul(power, c.op('Pow', [x, c.sub(power, c.scalar(1))])));
}

/** x held off zero, where y ln(x) tends to 0. */
function positivePart(c: RuleContext): string {
  return c.op('Max', [c.input(0), c.scalar(1e-38)]);
}

function extremeGradients(c: RuleContext) {
  const y = c.output(0);
  let share: string | undefined;
  const hit = (index: number): string => c.mask('Equal', c.input(index), y);
  return c.node.inputs.map((_, index) => () => {
    if (c.node.inputs.length === 1) return c.dY;
    share ??= c.div(
      c.dY,
      c.op(
        'Sum',
        c.node.inputs.map((__, i) => hit(i)),
      ),
    );
    return c.mul(share, hit(index));
  });
}

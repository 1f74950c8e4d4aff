import type { Operation, OperationGroup } from '../../../src/augment/operation.ts';
import { OPERATIONS } from '../../../src/augment/operations.ts';
import type { Parameter } from '../../../src/augment/parameters.ts';

const GROUPS: Readonly<Record<OperationGroup, string>> = {
  colour: 'Colour',
  geometry: 'Geometry',
  crop: 'Crops',
  blur: 'Sharpness',
  noise: 'Noise',
  weather: 'Weather and light',
  erase: 'Hiding parts',
};

const RISKS: Readonly<Record<NonNullable<Operation['risk']>, string>> = {
  mirrored: 'classes that a mirror changes',
  turned: 'classes that turning changes',
  recoloured: 'classes told apart by colour',
  cut: 'small objects can be lost',
};

/** What docs/operations.md holds. */
export function operationsTable(): string {
  const operations = [...OPERATIONS.values()];
  const parts = Object.entries(GROUPS).flatMap(([group, title]) => {
    const rows = operations.filter((operation) => operation.group === group).flatMap(rowsOf);
    return rows.length === 0
      ? []
      : [
          `## ${title}`,
          [
            '| operation | parameter | range | default | identity | RandAugment |',
            '|---|---|---|---|---|---|',
            ...rows,
          ].join('\n'),
        ];
  });
  return [
    '# Operations',
    `Every operation that a policy can name. Parameters are given in this order, or by name: \`blur(0.5..2, p=0.3)\`. A range
is drawn from anew for each image. One number instead of a range means: as far to either side of the identity (±), up to it
from the identity (→), or always that (=). \`p\` is how often the operation is done; it stands first where the table has
it first. The last column is what a level of strength of 0 to 1 (RandAugment's M / 30) sets at its strongest. A line on
labels says which classes could change their meaning.`,
    ...parts,
    '',
  ].join('\n\n');
}

function rowsOf(operation: Operation): string[] {
  const { name, about, parameters, probability, probabilityFirst, risk } = operation;
  const rows = Object.entries(parameters).map((entry) => parameterRow(operation, ...entry));
  const p = row('', '`p`: how often', '0..1 =', `${probability}`, '', '');
  const label = risk === undefined ? '' : `<br>*Labels: ${RISKS[risk]}.*`;
  return [row(`**${name}**`, `${about}.${label}`, '', '', '', ''), ...(probabilityFirst ? [p, ...rows] : [...rows, p])];
}

const SINGLES = { around: '±', 'from identity': '→', exactly: '=' } as const;

function parameterRow({ strength }: Operation, name: string, parameter: Parameter): string {
  const title = `\`${name}\`: ${parameter.about}`;
  if (parameter.kind === 'choice') return row('', title, parameter.choices.join(', '), parameter.default, '', '');
  if (parameter.kind === 'fill')
    return row('', title, ['#rrggbb', '0..255', ...parameter.words].join(', '), fillText(parameter.default), '', '');
  const whole = parameter.integer ? ', whole' : '';
  const strongest = (strength?.signed ? [-1, 1] : [1]).flatMap((sign) => {
    const value = (strength?.at(1, sign as 1 | -1) as Record<string, number> | undefined)?.[name];
    return value === undefined ? [] : [Number(value.toPrecision(4))];
  });
  const bounds = `${parameter.min}..${parameter.max}${whole}`;
  if (parameter.kind === 'number')
    return row('', title, `${bounds} =`, `${parameter.default ?? 'where it is used'}`, '', strongest.join(' or '));
  const [low, high] = parameter.default;
  return row(
    '',
    title,
    `${bounds} ${SINGLES[parameter.single]}`,
    low === high ? `${low}` : `${low}..${high}${parameter.scale === 'logarithmic' ? ', logarithmic' : ''}`,
    `${parameter.identity ?? ''}`,
    strongest.join(' or '),
  );
}

function fillText(fill: string | readonly number[]): string {
  if (typeof fill === 'string') return fill;
  return `#${fill.map((value) => value.toString(16).padStart(2, '0')).join('')}`;
}

function row(...cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

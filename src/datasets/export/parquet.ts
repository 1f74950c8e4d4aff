import { readFile } from 'node:fs/promises';
import type { SchemaElement } from 'hyparquet';
import { ByteWriter, ParquetWriter, type ColumnSource } from 'hyparquet-writer';
import type { ExportedData, LabelledImage } from './labelled-image.ts';

/** Images of a row group, which a reader may hold in memory at once. */
const GROUP_ROWS = 100;

interface Column {
  readonly name: string;
  readonly type: 'string' | 'number';
  readonly value: (image: LabelledImage) => string | number | undefined;
}

/**
 * Parquet as the "datasets" library of Hugging Face reads it: images inside, labels as a ClassLabel (null for none), the
 * evidence in columns with `machine_` before their names. Made a row group at a time.
 * @returns the file's bytes in pieces, each to be used before the next is asked for
 */
export async function* parquetParts(data: ExportedData): AsyncGenerator<Uint8Array> {
  const { images, classes } = data;
  const columns = columnsOf(data);
  const bytes = new ByteWriter();
  const writer = new ParquetWriter({
    writer: bytes,
    schema: schemaOf(columns),
    statistics: false,
    createdBy: 'gleaner',
    kvMetadata: [{ key: 'huggingface', value: JSON.stringify({ info: { features: featuresOf(columns, classes) } }) }],
  });
  for (let start = 0; start < images.length; start += GROUP_ROWS) {
    const rows = images.slice(start, start + GROUP_ROWS);
    const contents = await Promise.all(rows.map(({ file }) => readFile(file)));
    const columnData: ColumnSource[] = [
      {
        name: 'image',
        // A Buffer of a small file is a part of a larger one.
        data: rows.map(({ path }, i) => ({ bytes: new Uint8Array(contents[i]!), path })),
        encoding: 'PLAIN',
        // Images are compressed already.
        codec: 'UNCOMPRESSED',
      },
      { name: 'label', data: rows.map(({ label }) => (label === undefined ? null : BigInt(classes.indexOf(label)))) },
      ...columns.map(({ name, value }) => ({ name, data: rows.map((image) => value(image) ?? null) })),
    ];
    await writer.write({ columnData, rowGroupSize: GROUP_ROWS });
    yield taken(bytes);
  }
  await writer.finish();
  yield taken(bytes);
}

/** What was written since the last time; the writer goes on where it is. */
function taken(bytes: ByteWriter): Uint8Array {
  const part = bytes.getBytes().slice();
  bytes.index = 0;
  return part;
}

function columnsOf({ images, evidence, hasGroups }: ExportedData): Column[] {
  const split: Column = { name: 'split', type: 'string', value: (image) => image.split };
  const group: Column = { name: 'group', type: 'string', value: (image) => image.group };
  return [
    split,
    ...(hasGroups ? [group] : []),
    ...evidence.map((name): Column => {
      const isNumber = images.every(({ machine }) => typeof (machine?.[name] ?? 0) === 'number');
      return { name: `machine_${name}`, type: isNumber ? 'number' : 'string', value: ({ machine }) => machine?.[name] };
    }),
  ];
}

function schemaOf(columns: readonly Column[]): SchemaElement[] {
  const text = { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } } as const;
  return [
    { name: 'schema', num_children: columns.length + 2 },
    { name: 'image', repetition_type: 'OPTIONAL', num_children: 2 },
    { name: 'bytes', repetition_type: 'OPTIONAL', type: 'BYTE_ARRAY' },
    { name: 'path', repetition_type: 'OPTIONAL', ...text },
    { name: 'label', repetition_type: 'OPTIONAL', type: 'INT64' },
    ...columns.map(({ name, type }): SchemaElement => ({
      name,
      repetition_type: 'OPTIONAL',
      ...(type === 'string' ? text : { type: 'DOUBLE' }),
    })),
  ];
}

function featuresOf(columns: readonly Column[], classes: readonly string[]): object {
  return {
    image: { _type: 'Image' },
    label: { names: classes, _type: 'ClassLabel' },
    ...Object.fromEntries(
      columns.map(({ name, type }) => [name, { dtype: type === 'string' ? 'string' : 'float64', _type: 'Value' }]),
    ),
  };
}

import { open, type FileHandle } from 'node:fs/promises';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import {
  parquetMetadataAsync,
  parquetSchema,
  type ColumnMetaData,
  type FileMetaData,
  type SchemaTree,
} from 'hyparquet';
import { parquetHeader, readPage } from 'hyparquet/src/column.js';
import { convert, DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { FormatError, InputError } from '../core/errors.ts';
import { isObject } from './manifest-rows.ts';

/** Bytes of one page, compressed or not: some writers put 1,024 images into one. */
const MOST_PAGE_BYTES = 512 << 20;
/** Values of one page: a column that repeats one value packs any number into a few bytes. */
const MOST_PAGE_VALUES = 1 << 24;
/** Bytes of the description at the end of the file. */
const MOST_FOOTER_BYTES = 256 << 20;
/** What is read to see a page's header, which may hold statistics. */
const HEADER_BYTES = 64 << 10;

/** Values of one column, of rows from `start` on. */
export interface ColumnRun {
  readonly start: number;
  readonly values: ArrayLike<unknown>;
}

/**
 * A Parquet file that is read a page of a column at a time, so that a row group of any size takes no more memory than its
 * largest page.
 */
export class ParquetFile implements AsyncDisposable {
  readonly #name: string;
  readonly #handle: FileHandle;
  readonly #bytes: number;
  readonly #metadata: FileMetaData;
  readonly #schema: SchemaTree;
  readonly rows: number;

  private constructor(name: string, handle: FileHandle, bytes: number, metadata: FileMetaData) {
    this.#name = name;
    this.#handle = handle;
    this.#bytes = bytes;
    this.#metadata = metadata;
    this.#schema = parquetSchema(metadata);
    this.rows = metadata.row_groups.reduce((sum, group) => sum + Number(group.num_rows), 0);
  }

  /** @throws FormatError for what is no Parquet file */
  static async open(path: string): Promise<ParquetFile> {
    const handle = await open(path);
    try {
      const { size } = await handle.stat();
      const slice = (start: number, end = size): Promise<ArrayBuffer> => read(handle, start, end, MOST_FOOTER_BYTES);
      const metadata = await parquetMetadataAsync({ byteLength: size, slice }, { geoparquet: false });
      return new ParquetFile(path, handle, size, metadata);
    } catch (error) {
      await handle.close();
      throw new FormatError(`${path} is no Parquet file that can be read: ${(error as Error).message}.`, {
        cause: error,
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  /** Names of the top columns, in their order. */
  get columns(): readonly string[] {
    return this.#schema.children.map(({ element }) => element.name);
  }

  /** What the "datasets" library wrote about columns: `{ label: { _type: 'ClassLabel', names: [...] } }`. */
  get features(): Readonly<Record<string, unknown>> {
    const text = this.#metadata.key_value_metadata?.find(({ key }) => key === 'huggingface')?.value;
    if (text === undefined) return {};
    try {
      const { info } = JSON.parse(text) as { info?: { features?: unknown } };
      return isObject(info?.features) ? info.features : {};
    } catch {
      return {};
    }
  }

  /** The column of a name, or the field of a struct. */
  column(...path: readonly string[]): SchemaTree | undefined {
    let at: SchemaTree | undefined = this.#schema;
    for (const part of path) at = at?.children.find(({ element }) => element.name === part);
    return at;
  }

  /** Bytes that a column takes in memory, as the file says. */
  bytesOf(...path: readonly string[]): number {
    return this.#metadata.row_groups.reduce(
      (sum, group) => sum + Number(chunkOf(group.columns, path)?.total_uncompressed_size ?? 0),
      0,
    );
  }

  /**
   * Values of a column that is no list, page by page: `null` where there is none, bytes as they are, text as text.
   * @throws FormatError naming the rows that can't be read; InputError where a page of theirs is too large for memory
   */
  async *read(...path: readonly string[]): AsyncGenerator<ColumnRun> {
    let start = 0;
    for (const group of this.#metadata.row_groups) {
      const rows = Number(group.num_rows);
      const chunk = chunkOf(group.columns, path);
      if (chunk === undefined) throw new FormatError(`${this.#name} has no column "${path.join('.')}".`);
      yield* this.#readChunk(chunk, path, start, rows);
      start += rows;
    }
  }

  async *#readChunk(
    chunk: ColumnMetaData,
    path: readonly string[],
    first: number,
    rows: number,
  ): AsyncGenerator<ColumnRun> {
    const nodes = path.map((_, depth) => this.column(...path.slice(0, depth + 1))!);
    const { element } = nodes.at(-1)!;
    const decoder = {
      pathInSchema: [...path],
      type: chunk.type,
      element,
      schemaPath: [this.#schema, ...nodes],
      codec: chunk.codec,
      parsers: DEFAULT_PARSERS,
      compressors: DECOMPRESSORS,
      utf8: false,
    };
    if (!CODECS.includes(chunk.codec))
      throw new InputError(
        `${this.#name}: the column "${path.join('.')}" is compressed by ${chunk.codec}; read are ${CODECS.slice(0, -1).join(', ')} and ${CODECS.at(-1)}.`,
      );
    let at = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
    let dictionary: Parameters<typeof readPage>[3];
    let done = 0;
    while (done < rows) {
      const where = `row ${first + done} of the column "${path.join('.')}"`;
      const remaining = rows - done;
      let values: ArrayLike<unknown> | undefined;
      try {
        const seen = new DataView(await read(this.#handle, at, Math.min(at + HEADER_BYTES, this.#bytes), HEADER_BYTES));
        const header = { view: seen, offset: 0 };
        const page = parquetHeader(header);
        const count = (page.data_page_header ?? page.data_page_header_v2)?.num_values ?? 0;
        if (count > MOST_PAGE_VALUES) throw new Error(`a page of ${count} values, more than ${MOST_PAGE_VALUES}`);
        if (count > remaining) throw new Error(`a page of ${count} values in a group that has ${remaining} more rows`);
        const bytes = Math.max(page.compressed_page_size, page.uncompressed_page_size);
        if (bytes > MOST_PAGE_BYTES)
          throw new InputError(
            `${this.#name}, ${where}: a page has ${bytes} bytes, more than the ${MOST_PAGE_BYTES} that are read at once. ` +
              'Write the file with fewer rows a group (pandas and pyarrow: row_group_size=100).',
          );
        const from = at + header.offset;
        at = from + page.compressed_page_size;
        const body = new DataView(await read(this.#handle, from, at, MOST_PAGE_BYTES));
        const { data } = readPage({ view: body, offset: 0 }, page, decoder, dictionary, undefined, 0);
        if (page.type === 'DICTIONARY_PAGE') dictionary = convert(data!, decoder);
        else values = Array.from(data ?? [], unwrapped);
      } catch (error) {
        if (error instanceof InputError) throw error;
        throw new FormatError(`${this.#name}, ${where}: can't be read (${(error as Error).message}).`, {
          cause: error,
        });
      }
      if (values === undefined) continue;
      yield { start: first + done, values };
      done += values.length;
    }
  }
}

function chunkOf(
  columns: FileMetaData['row_groups'][0]['columns'],
  path: readonly string[],
): ColumnMetaData | undefined {
  return columns.find(({ meta_data: data }) => data?.path_in_schema.join('\0') === path.join('\0'))?.meta_data;
}

/** A field of a struct that may be null comes in a list of one for each such struct around it. */
function unwrapped(value: unknown): unknown {
  let at = value;
  while (Array.isArray(at)) at = (at[0] as unknown) ?? null;
  return at;
}

/** Bytes of a file, no more than it has and than `most`. */
async function read(handle: FileHandle, start: number, end: number, most: number): Promise<ArrayBuffer> {
  if (!(start >= 0 && end >= start && end - start <= most))
    throw new Error(`it points to the bytes ${start} to ${end}`);
  const buffer = new ArrayBuffer(end - start);
  let done = 0;
  while (done < buffer.byteLength) {
    const { bytesRead } = await handle.read(new Uint8Array(buffer, done), 0, buffer.byteLength - done, start + done);
    if (bytesRead === 0) throw new Error('the file ends before its data');
    done += bytesRead;
  }
  return buffer;
}

const CODECS = ['SNAPPY', 'GZIP', 'BROTLI', 'UNCOMPRESSED'];
const DECOMPRESSORS = {
  GZIP: (input: Uint8Array, length: number): Uint8Array => gunzipSync(input, { maxOutputLength: length }),
  BROTLI: (input: Uint8Array, length: number): Uint8Array => brotliDecompressSync(input, { maxOutputLength: length }),
};

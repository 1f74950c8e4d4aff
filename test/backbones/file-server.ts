import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ServedFile {
  content: Uint8Array;
  /** Default: from the content. */
  etag?: string;
  /** Ends the connection after so many bytes of a response, once for each number. */
  breakAfter?: number[];
  /** Answers the whole file whatever range is asked for. */
  ignoreRanges?: boolean;
}

/** A local server for files, also by the paths that the Hugging Face Hub has. */
export class FileServer {
  readonly files = new Map<string, ServedFile>();
  /** `GET path range`, in order. */
  readonly requests: string[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<FileServer> {
    const server = createServer((request, response) => files.#answer(request, response));
    const files = new FileServer(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return files;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  add(path: string, content: Uint8Array | string, options: Omit<ServedFile, 'content'> = {}): ServedFile {
    const file = { ...options, content: typeof content === 'string' ? Buffer.from(content) : content };
    this.files.set(path, file);
    return file;
  }

  /** A hub repository of these files; large ones (not JSON) as LFS files, listed with their SHA-256. */
  addRepository(repo: string, files: Readonly<Record<string, Uint8Array | string>>, revision = 'main'): void {
    const listing = Object.entries(files).map(([path, content]) => {
      const bytes = this.add(`/${repo}/resolve/${revision}/${path}`, content).content;
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const oid = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
      const lfs = path.endsWith('.json') ? {} : { lfs: { oid: sha256, size: bytes.length, pointerSize: 134 } };
      return { type: 'file', path, size: bytes.length, oid, ...lfs };
    });
    this.add(`/api/models/${repo}/tree/${revision}`, JSON.stringify(listing), { ignoreRanges: true });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url!, 'http://localhost');
    const { range, 'if-range': condition } = request.headers;
    this.requests.push(`${request.method} ${pathname}${range === undefined ? '' : ` ${range}`}`);
    const file = this.files.get(decodeURIComponent(pathname));
    if (file === undefined) {
      response.writeHead(404, { 'X-Error-Code': 'EntryNotFound' }).end();
      return;
    }
    const { content, ignoreRanges = false } = file;
    const etag = file.etag ?? `"${createHash('sha256').update(content).digest('hex').slice(0, 16)}"`;
    const match = /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
    const partial = match !== null && !ignoreRanges && (condition === undefined || condition === etag);
    const start = partial ? Number(match[1]) : 0;
    const end = partial && match[2] !== '' ? Number(match[2]) + 1 : content.length;
    if (start >= content.length && content.length > 0) {
      response.writeHead(416).end();
      return;
    }
    const body = content.subarray(start, end);
    response.writeHead(partial ? 206 : 200, {
      ETag: etag,
      'Content-Length': body.length,
      'Content-Type': pathname.startsWith('/api/') ? 'application/json' : 'application/octet-stream',
      ...(partial && { 'Content-Range': `bytes ${start}-${Math.min(end, content.length) - 1}/${content.length}` }),
    });
    const limit = body.length > 1 ? file.breakAfter?.shift() : undefined;
    if (limit === undefined) response.end(body);
    else response.write(body.subarray(0, limit), () => setTimeout(() => response.destroy(), 30));
  }
}

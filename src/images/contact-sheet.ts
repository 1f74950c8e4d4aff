import sharp from 'sharp';
import type { Pixels } from './pixels.ts';

/** Pictures with captions, row by row. */
export interface Sheet {
  readonly title: string;
  readonly rows: readonly SheetRow[];
}

export interface SheetRow {
  readonly title: string;
  readonly cells: readonly { readonly pixels: Pixels; readonly caption: string }[];
}

const CELL = 128;
const GAP = 8;
const LINE = 16;

/** The bytes of a PNG file: every picture within a square of 128 pixels, its caption below. */
export async function contactSheetPng({ title, rows }: Sheet): Promise<Buffer> {
  const columns = Math.max(1, ...rows.map(({ cells }) => cells.length));
  const width = GAP + columns * (CELL + GAP);
  const rowHeight = LINE + CELL + 2 * LINE + GAP;
  const top = 2 * LINE;
  const height = top + rows.length * rowHeight;
  const texts: string[] = [textAt(GAP, LINE + 4, title, 14, width)];
  const layers: { input: Buffer; left: number; top: number }[] = [];
  for (const [r, row] of rows.entries()) {
    const y = top + r * rowHeight;
    texts.push(textAt(GAP, y + LINE - 4, row.title, 12, width));
    for (const [c, { pixels, caption }] of row.cells.entries()) {
      const x = GAP + c * (CELL + GAP);
      const { data, info } = await sharp(pixels.data, {
        raw: { width: pixels.width, height: pixels.height, channels: 3 },
      })
        .resize(CELL, CELL, { fit: 'inside', kernel: 'cubic' })
        .png()
        .toBuffer({ resolveWithObject: true });
      layers.push({
        input: data,
        left: x + Math.floor((CELL - info.width) / 2),
        top: y + LINE + Math.floor((CELL - info.height) / 2),
      });
      for (const [i, line] of wrapped(caption, 21).slice(0, 2).entries())
        texts.push(textAt(x, y + LINE + CELL + 12 + i * 12, line, 10, CELL));
    }
  }
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${texts.join('')}</svg>`;
  return sharp({ create: { width, height, channels: 3, background: '#ffffff' } })
    .composite([...layers, { input: Buffer.from(svg), left: 0, top: 0 }])
    .png({ compressionLevel: 9 })
    .toBuffer();
}

function textAt(x: number, y: number, text: string, size: number, width: number): string {
  const room = Math.floor(width / (size * 0.55));
  const shown = text.length > room ? `${text.slice(0, Math.max(1, room - 1))}…` : text;
  return `<text x="${x}" y="${y}" font-family="sans-serif" font-size="${size}" fill="#1b1f24">${escaped(shown)}</text>`;
}

/** Also takes out what XML can't hold. */
function escaped(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\x20-\uD7FF\uE000-\uFFFD]/g, '?')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}

function wrapped(text: string, room: number): string[] {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!;
    if (line === '' || line.length + 1 + word.length <= room) lines[lines.length - 1] = `${line} ${word}`.trim();
    else lines.push(word);
  }
  return lines;
}

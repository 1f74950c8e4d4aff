import { extname } from 'node:path';
import { writeFileAtomic } from '../../core/atomic-file.ts';
import { contactSheetPng, type Sheet } from '../../images/contact-sheet.ts';
import { encodePng } from '../../images/encode.ts';
import type { Pixels } from '../../images/pixels.ts';
import { sheetPage } from '../../report/sheet-page.ts';

/** A sheet as the file's name asks for it: a page that needs no network (.html), or a picture (.png). */
export async function sheetFile(sheet: Sheet, file: string, text = ''): Promise<string | Buffer> {
  return extname(file).toLowerCase() === '.png' ? contactSheetPng(sheet) : sheetPage(sheet, text);
}

/** Writes a PNG file, without loss. */
export async function writeImage(file: string, pixels: Pixels): Promise<void> {
  await writeFileAtomic(file, await encodePng({ ...pixels, channels: 3 }));
}

// A data set that is always there: digits of the `mnist` package as PNG files in a temporary folder.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readDigits, writeDigits } from '../../scripts/digits.mjs';

const made = [];
process.on('exit', () => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

/** A new temporary folder, removed when the process ends. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'gleaner-bench-'));
  made.push(folder);
  return folder;
}

/**
 * Writes some digits of each class, a folder a class.
 * @param parts folder to the number of images of a class that it gets: { train: 20, test: 5 }
 * @returns the folder
 */
export async function digitsFolder(parts) {
  const folder = join(temporaryFolder(), 'digits');
  const seen = Array.from({ length: 10 }, () => 0);
  const files = readDigits().flatMap((image) => {
    let place = seen[image.digit]++;
    for (const [part, count] of Object.entries(parts)) {
      if (place < count) return [{ image, path: join(part, String(image.digit), image.name) }];
      place -= count;
    }
    return [];
  });
  await writeDigits(folder, files);
  return folder;
}

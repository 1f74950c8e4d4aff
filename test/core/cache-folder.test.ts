import { existsSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cacheClear, cacheContents, cacheFolder, cachePart, trimCache } from '../../src/core/cache-folder.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gleaner-cache-test-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('GLEANER_CACHE comes first, then XDG, then the home', () => {
  const env = { GLEANER_CACHE: join(root, 'own'), XDG_CACHE_HOME: join(root, 'xdg'), HOME: join(root, 'home') };
  expect(cacheFolder(env)).toEqual({ folder: join(root, 'own') });
  expect(cacheFolder({ ...env, GLEANER_CACHE: '' })).toEqual({ folder: join(root, 'xdg', 'gleaner') });
  const home = cacheFolder({ XDG_CACHE_HOME: 'relative', HOME: join(root, 'home') }).folder;
  expect(home.startsWith(join(root, 'home'))).toBe(true);
});

test('where the folder can not be written, a temporary one of this user serves, and it is said', () => {
  writeFileSync(join(root, 'file'), '');
  const place = cacheFolder({ GLEANER_CACHE: join(root, 'file', 'cache') });
  expect(place.warning).toContain(join(root, 'file', 'cache'));
  expect(place.warning).toContain(place.folder);
  expect(place.folder.startsWith(tmpdir())).toBe(true);
  expect(statSync(place.folder).isDirectory()).toBe(true);
});

test('contents are counted by part, and clearing leaves other files alone', async () => {
  const env = { GLEANER_CACHE: root };
  writeFileSync(join(cachePart('tuning', env), 'a'), 'xyz');
  writeFileSync(join(cachePart('features', env), 'b'), 'x');
  writeFileSync(join(root, 'mine.txt'), 'not a part');
  const contents = await cacheContents(env);
  expect(contents.bytes).toBe(4);
  expect(contents.parts).toContainEqual({ name: 'tuning', files: 1, bytes: 3 });
  expect((await cacheClear(['tuning'], env)).bytes).toBe(1);
  expect((await cacheClear(undefined, env)).bytes).toBe(0);
  expect(existsSync(join(root, 'mine.txt'))).toBe(true);
});

test('trimming removes what was longest unused', async () => {
  const env = { GLEANER_CACHE: root };
  for (const [name, ageDays] of [
    ['old', 3],
    ['middle', 2],
    ['new', 1],
  ] as const) {
    const path = join(cachePart('images', env), name);
    writeFileSync(path, Buffer.alloc(100));
    const time = new Date(Date.now() - ageDays * 86_400_000);
    utimesSync(path, time, time);
  }
  expect(await trimCache('images', 200, env)).toBe(100);
  expect(existsSync(join(root, 'images', 'old'))).toBe(false);
  expect(await trimCache('images', 0, env)).toBe(200);
});

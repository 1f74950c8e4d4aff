/**
 * The first key that an object in `json` holds twice, at any depth, or undefined. `JSON.parse` keeps the
 * last of two silently, so that two readers may see two different files.
 * @param json valid JSON: parse it first.
 */
export function duplicateKey(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  // Only strings and brackets matter; a string in front of a colon is a key.
  const mark = /["{}[\]]/g;
  const colon = /\s*:/y;
  for (let match = mark.exec(json); match !== null; match = mark.exec(json)) {
    if (match[0] === '{') open.push(new Set());
    else if (match[0] === '[') open.push(undefined);
    else if (match[0] !== '"') open.pop();
    else {
      const end = stringEnd(json, match.index);
      mark.lastIndex = end;
      colon.lastIndex = end;
      if (!colon.test(json)) continue;
      const key = JSON.parse(json.slice(match.index, end)) as string;
      const keys = open.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

/** The position behind the string that starts at `start` (a loop: a pattern overflows on very long strings). */
function stringEnd(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); ; end = json.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (json[end - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return end + 1;
  }
}

// npm run bench [-- --json]              every benchmark that needs no arguments
// npm run bench -- NAME [ARGUMENTS]      one of them: bench/NAME.mjs
// Benchmarks run from dist/. One that ends with code 2 asks for arguments: it is skipped, and said.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.mjs') && file !== 'main.mjs')
  .map((file) => file.slice(0, -4))
  .toSorted();
const given = process.argv.slice(2);
const [wanted, ...rest] = given[0]?.startsWith('-') ? [undefined, ...given] : given;
// With --json standard output holds nothing but JSON lines.
const say = rest.includes('--json') ? console.error : console.log;
if (wanted !== undefined && !names.includes(wanted)) {
  console.error(`There is no benchmark "${wanted}"; there are ${names.join(', ')}.`);
  process.exit(2);
}
let failed = 0;
for (const name of wanted === undefined ? names : [wanted]) {
  say(`== ${name}`);
  const { status } = spawnSync(process.execPath, [`${folder}${name}.mjs`, ...rest], { stdio: 'inherit' });
  if (status === 0) continue;
  if (status === 2 && wanted === undefined) say(`skipped: ${name} needs arguments`);
  else failed = status ?? 1;
}
process.exit(failed);

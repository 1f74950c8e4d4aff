// Installs the locked dependencies and builds `dist/`, each only where it is not current.
// Runs before `demo`, `test`, `check` and `bench`; needs nothing but Node and npm.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Gleaner needs Node 20.19 or newer, this is ${process.versions.node}.`);
  process.exit(2);
}

ensure('node_modules/.gleaner-installed', ['package.json', 'package-lock.json'], () => {
  // onnxruntime-node's own install script only tries to download CUDA libraries; the CPU ones are in the package.
  run('npm', ['ci', '--no-audit', '--no-fund'], { ONNXRUNTIME_NODE_INSTALL: 'skip' });
});
ensure(
  'dist/.gleaner-built',
  ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json', ...filesBelow('src'), ...filesBelow('assembly')],
  () => {
    rmSync('dist', { recursive: true, force: true });
    rmSync('.tsbuild/build.tsbuildinfo', { force: true });
    run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']);
    run(process.execPath, ['node_modules/assemblyscript/bin/asc.js', '--config', 'assembly/asconfig.json']);
  },
);

/** Runs `make` unless `stamp` holds the hash of `sources`. */
function ensure(stamp, sources, make) {
  const hash = createHash('sha256');
  for (const file of sources) hash.update(file).update('\0').update(readFileSync(file)).update('\0');
  const current = hash.digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === current) return;
  make();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, current);
}

function run(command, args, extraEnv = {}) {
  console.error(`> ${command} ${args.join(' ')}`);
  const { status, error } = spawnSync(command, args, {
    // Words on standard error, so that `npm run demo` and `--json` pipelines stay clean.
    stdio: ['ignore', 2, 2],
    env: { ...process.env, ...extraEnv },
    shell: process.platform === 'win32' && command === 'npm',
  });
  if (status !== 0) {
    console.error(error ? String(error) : `${command} ${args.join(' ')} ended with exit code ${status}.`);
    process.exit(1);
  }
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

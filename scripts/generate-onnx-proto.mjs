// Writes src/onnx/proto/onnx_pb.ts from src/onnx/proto/onnx.proto. Needs protoc; the plugin comes through npx.
// TypeScript enums are not erasable syntax, so each becomes a constant object and a type of the same name.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../src/onnx/proto');
const scratch = mkdtempSync(join(tmpdir(), 'onnx-proto-'));
const plugin = join(scratch, 'protoc-gen-es');
writeFileSync(plugin, '#!/bin/sh\nexec npx --yes @bufbuild/protoc-gen-es@2.17.0 "$@"\n', { mode: 0o755 });
execFileSync(
  'protoc',
  [
    `--plugin=protoc-gen-es=${plugin}`,
    `--es_out=${scratch}`,
    '--es_opt=target=ts,import_extension=none',
    `--proto_path=${folder}`,
    'onnx.proto',
  ],
  { stdio: 'inherit' },
);
const generated = readFileSync(join(scratch, 'onnx_pb.ts'), 'utf8');
const erasable = generated.replaceAll(/^export enum (\w+) \{\n([\s\S]*?)^\}\n/gm, (_, name, body) => {
  const entries = body.replaceAll(/^( {2}\w+) = (-?\d+),$/gm, '$1: $2,');
  return `export const ${name} = {\n${entries}} as const;\nexport type ${name} = (typeof ${name})[keyof typeof ${name}];\n`;
});
writeFileSync(join(folder, 'onnx_pb.ts'), erasable);
rmSync(scratch, { recursive: true });

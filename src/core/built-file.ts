/**
 * The built file that lies at `path` beside the module at `base` (its `import.meta.url`): beside it in `dist`, and of the
 * same place under `dist` where the module runs from the sources.
 * @example
 * builtFile('./kernels.wasm', import.meta.url);
 */
export function builtFile(path: string, base: string): URL {
  const file = new URL(path.replace(/\.ts$/, '.js'), base);
  return base.endsWith('.ts') ? new URL(file.href.replace(/\/src\/(?!.*\/src\/)/, '/dist/')) : file;
}

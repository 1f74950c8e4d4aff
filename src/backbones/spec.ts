import { InputError } from '../core/errors.ts';

/** Backbones that are made here and need no training. */
export const BUILT_IN_BACKBONES: readonly string[] = ['gradients'];

/** Where a backbone comes from. */
export type BackboneSpec =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'url'; readonly url: URL }
  | { readonly kind: 'built-in'; readonly name: string }
  | { readonly kind: 'hub'; readonly repo: string; readonly file: string | undefined; readonly revision: string };

/**
 * Reads `FILE`, `https://...`, `hf:owner/repo[/file][@revision]` (revision `main` where none is given) or `builtin:NAME`.
 * @throws InputError for what is none of these.
 * @example
 * parseBackboneSpec('hf:timm/mobilenetv3_small_050.lamb_in1k');
 */
export function parseBackboneSpec(text: string): BackboneSpec {
  if (/^https?:\/\//i.test(text)) {
    if (!URL.canParse(text)) throw new InputError(`--backbone ${text} is not a valid URL.`);
    return { kind: 'url', url: new URL(text) };
  }
  if (text.startsWith('hf:')) {
    const match = /^hf:([\w.-]+\/[\w.-]+)(?:\/([^@]+))?(?:@([^@]+))?$/.exec(text);
    const file = match?.[2];
    if (match === null || file?.split('/').some((part) => part === '' || part === '.' || part === '..'))
      throw new InputError(`--backbone ${text}: expected hf:owner/repo, hf:owner/repo/file or either with @revision.`);
    return { kind: 'hub', repo: match[1]!, file, revision: match[3] ?? 'main' };
  }
  if (text.startsWith('builtin:')) {
    const name = text.slice('builtin:'.length);
    if (!BUILT_IN_BACKBONES.includes(name))
      throw new InputError(
        `--backbone ${text}: expected ${BUILT_IN_BACKBONES.map((known) => `builtin:${known}`).join(', ')}, which need no training; other built-in networks start from random weights (--model).`,
      );
    return { kind: 'built-in', name };
  }
  if (text === '') throw new InputError('--backbone is empty: expected a file, a URL or hf:owner/repo[/file].');
  return { kind: 'path', path: text };
}

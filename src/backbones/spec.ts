import { InputError } from '../core/errors.ts';

/** Where a backbone comes from. */
export type BackboneSpec =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'url'; readonly url: URL }
  | { readonly kind: 'hub'; readonly repo: string; readonly file: string | undefined; readonly revision: string };

/**
 * Reads `FILE`, `https://...` or `hf:owner/repo[/file][@revision]` (revision `main` where none is given).
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
  if (text === '') throw new InputError('--backbone is empty: expected a file, a URL or hf:owner/repo[/file].');
  return { kind: 'path', path: text };
}

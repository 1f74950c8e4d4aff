import type { Emitter } from '../emitter.ts';
import type { Form } from '../forms.ts';
import { Layout, type LayoutName } from '../layout.ts';
import type { Site } from '../lowering.ts';

/** A site whose activations may be laid out in blocks. */
export interface BlockedSite extends Site {
  readonly block: number;
  /** The blocked layout that an input was already made in, if any. */
  madeIn(input: number): LayoutName | undefined;
}

/** One way to compute an op on tensors laid out in blocks. */
export interface BlockedLowering {
  readonly name: string;
  applies(site: BlockedSite): boolean;
  /** Whether it is likely to be the fastest for these shapes: such lowerings come before all others. */
  suits?(site: BlockedSite): boolean;
  /** The layout of each input; `clean` where channels that padding added must be zero in all of them. */
  readonly wants: (site: BlockedSite) => { layouts: readonly ('plain' | LayoutName)[]; clean?: boolean };
  emit(emitter: Emitter, inputs: readonly string[], site: BlockedSite): readonly Form[];
}

/** Ways to lower each op type of a domain, best guess first. Keys are op types, abstract or ONNX's own. */
export type BlockedTable = Readonly<Record<string, readonly BlockedLowering[]>>;

export const channels = (site: BlockedSite): Layout => new Layout('channels', site.block);

/** Views of activations and weights that lowerings share. */
export const asView = (e: Emitter, x: string, shape: readonly number[], layout: Layout): string =>
  e.reshape(x, layout.viewShape(shape));

export const asStored = (e: Emitter, x: string, shape: readonly number[], layout: Layout): string =>
  e.reshape(x, layout.storedShape(shape));

export const blockedForm = (name: string, layout: LayoutName = 'channels', clean = true): Form => ({
  name,
  layout,
  clean,
});

export const plainForm = (name: string): Form => ({ name, layout: 'plain', clean: true });

/** True where the first input already lies in blocks: the op then stays there, but would not be moved there. */
export const whereBlocked = (site: BlockedSite): boolean =>
  site.shapes[0]?.length === 4 && site.madeIn(0) === 'channels';

import { existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { InputError } from '../../core/errors.ts';
import { parseBackboneSpec } from '../../backbones/spec.ts';

/** What texts mean, as the image side of the same network says it of images: a vector [D] each, of any length. */
export type TextEncoder = (texts: readonly string[]) => Promise<readonly Float32Array[]>;

/** Of what `@huggingface/transformers` exports, what is used. */
interface Transformers {
  readonly env: { allowRemoteModels: boolean; localModelPath: string };
  readonly AutoTokenizer: {
    from_pretrained(model: string, options: object): Promise<(texts: readonly string[], how: object) => object>;
  };
  readonly CLIPTextModelWithProjection: {
    from_pretrained(model: string, options: object): Promise<(inputs: object) => Promise<TextOutput>>;
  };
}

interface TextOutput {
  readonly text_embeds?: { readonly dims: readonly number[]; readonly data: Float32Array };
}

const PEER = '@huggingface/transformers';

/**
 * The text side of a CLIP, run by `@huggingface/transformers`, which is installed by whoever wants it.
 * @param model `hf:owner/repo`, or a folder as such a repository is: `tokenizer.json`, `config.json`, `onnx/text_model.onnx`
 * @throws InputError where the package, or the model, is not there
 */
export async function clipTextEncoder(model: string): Promise<TextEncoder> {
  const transformers = await loadPeer();
  const { name, options } = place(model, transformers.env);
  try {
    const tokenizer = await transformers.AutoTokenizer.from_pretrained(name, options);
    const network = await transformers.CLIPTextModelWithProjection.from_pretrained(name, { ...options, dtype: 'fp32' });
    return async (texts) => {
      const { text_embeds: embedded } = await network(tokenizer(texts, { padding: true, truncation: true }));
      const width = embedded?.dims[1];
      if (embedded === undefined || width === undefined || embedded.dims[0] !== texts.length)
        throw new InputError(`${model} has no "text_embeds" [${texts.length}, D]: expected the text side of a CLIP.`);
      return texts.map((_, i) => embedded.data.slice(i * width, (i + 1) * width));
    };
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`The text side of ${model} can't be opened: ${(error as Error).message}`, { cause: error });
  }
}

async function loadPeer(): Promise<Transformers> {
  // By a variable: it is a peer that need not be there.
  const name: string = PEER;
  try {
    return (await import(name)) as Transformers;
  } catch (error) {
    throw new InputError(
      `Zero-shot labels need ${PEER}, which reads the names of the classes: npm install ${PEER}. Or give what another program made of them, by --text-embeddings.`,
      { cause: error },
    );
  }
}

/** @throws InputError for what is neither a folder nor on the hub */
function place(model: string, env: Transformers['env']): { readonly name: string; readonly options: object } {
  if (existsSync(model)) {
    const folder = resolve(model);
    env.localModelPath = `${dirname(folder)}/`;
    env.allowRemoteModels = false;
    return { name: basename(folder), options: { local_files_only: true } };
  }
  const spec = parseBackboneSpec(model);
  if (spec.kind !== 'hub')
    throw new InputError(`--text-model ${model}: expected hf:owner/repo or a folder with the files of one.`);
  return { name: spec.repo, options: { revision: spec.revision } };
}

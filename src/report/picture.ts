import { html, type Html } from './html.ts';

/** Base64 images and nothing else: an SVG could hold a program. */
const PICTURE = /^data:image\/(png|jpeg|webp|gif|avif);base64,[A-Za-z0-9+/]+={0,2}$/;

/** A small picture, or that there is none. @param uri a `data:` URI */
export function picture(uri: string | undefined, alt: string): Html {
  return uri !== undefined && PICTURE.test(uri)
    ? html`<img src="${uri}" alt="${alt}" loading="lazy" />`
    : html`<span class="absent">no picture</span>`;
}

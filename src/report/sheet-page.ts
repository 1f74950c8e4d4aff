import type { Sheet } from '../images/contact-sheet.ts';
import { encodeJpeg, encodePng } from '../images/encode.ts';
import { html, trusted, type Html } from './html.ts';
import { renderPage } from './page.ts';

/** Pictures up to this many pixels are kept to the byte. */
const SMALL = 64 * 64;

/** A page of pictures with captions; it holds all it needs. @param text a paragraph below the title */
export async function sheetPage({ title, rows }: Sheet, text: string): Promise<string> {
  const sections: Html[] = [];
  for (const row of rows) {
    const cells: Html[] = [];
    for (const { pixels, caption } of row.cells) {
      const image = { ...pixels, channels: 3 as const };
      const isSmall = pixels.width * pixels.height <= SMALL;
      const bytes = await (isSmall ? encodePng(image) : encodeJpeg(image, 88));
      const uri = `data:image/${isSmall ? 'png' : 'jpeg'};base64,${bytes.toString('base64')}`;
      cells.push(
        html`<figure>
          <img src="${uri}" alt="${caption}" class="${isSmall ? 'small' : ''}" />
          <figcaption>${caption}</figcaption>
        </figure>`,
      );
    }
    sections.push(
      html`<section>
        <h3>${row.title}</h3>
        <div class="row">${cells}</div>
      </section>`,
    );
  }
  return renderPage({
    title,
    header: html`<h1>${title}</h1>
      <p>${text}</p>`,
    sections: [['pictures', 'Pictures', html`${sections}`]],
    footer: '',
    style: SHEET_STYLE,
  });
}

const SHEET_STYLE = trusted(`
main, header { max-width: none; }
.row { display: flex; gap: .6rem; overflow-x: auto; padding-bottom: .5rem; }
figure { margin: 0; flex: 0 0 auto; width: 9rem; }
figure img { width: 9rem; height: 9rem; object-fit: contain; background: var(--panel); display: block; }
figure img.small { image-rendering: pixelated; }
figcaption { font-size: .8rem; color: var(--muted); overflow-wrap: anywhere; }
`);

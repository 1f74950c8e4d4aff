import { html, trusted, type Html } from './html.ts';
import { renderPage } from './page.ts';
import { picture } from './picture.ts';

/** An image and what is said of it. */
export interface PictureWithText {
  /** Its name. */
  readonly file: string;
  /** A line below it. */
  readonly text: string;
  /** `data:` URI; absent where it can't be shown. */
  readonly picture?: string | undefined;
}

export interface WhyPage {
  readonly image: PictureWithText;
  readonly sentences: readonly string[];
  /** Images most alike, by who labelled them. */
  readonly rows: readonly { readonly title: string; readonly images: readonly PictureWithText[] }[];
}

/** Why an image has its label, as one page that holds all it needs. */
export function renderWhyPage({ image, sentences, rows }: WhyPage): string {
  const figure = ({ file, text, picture: uri }: PictureWithText): Html =>
    html`<figure>
      ${picture(uri, file)}
      <figcaption>${text}<br /><code>${file}</code></figcaption>
    </figure>`;
  const shown = rows.filter(({ images }) => images.length > 0);
  return renderPage({
    title: `Why ${image.file}`,
    header: html`<h1>Why ${image.file}</h1>`,
    sections: [
      [
        'image',
        'The image',
        html`<section>
          <div class="row">${figure(image)}</div>
          ${sentences.map((sentence) => html`<p>${sentence}</p>`)}
        </section>`,
      ],
      [
        'alike',
        'Images most alike',
        html`${shown.map(
          ({ title, images }) =>
            html`<section>
              <h3>${title}</h3>
              <div class="row">${images.map(figure)}</div>
            </section>`,
        )}`,
      ],
    ],
    footer: 'Made by Gleaner. This file needs no network.',
    style: STYLE,
  });
}

const STYLE = trusted(`
.row { display: flex; gap: .6rem; flex-wrap: wrap; }
figure { margin: 0; width: 12rem; }
figure img, figure .absent { width: 12rem; height: 12rem; object-fit: contain; background: var(--panel); display: block; }
figcaption { font-size: .85rem; overflow-wrap: anywhere; }
`);

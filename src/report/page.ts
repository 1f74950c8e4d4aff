import { html, type Html } from './html.ts';
import { style } from './style.ts';

/** Forbids every request and every script, whatever a class is named. */
const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

export interface Page {
  readonly title: string;
  readonly header: Html;
  /** Those without content are left out. */
  readonly sections: readonly (readonly [id: string, name: string, content: Html])[];
  readonly footer: string;
  /** Beside the style that all pages share. */
  readonly style?: Html;
}

/** One HTML file: no network, no script, light and dark, and fit to be printed. */
export function renderPage({ title, header, sections, footer, style: own }: Page): string {
  const shown = sections.filter(([, , content]) => content.text !== '');
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="generator" content="Gleaner" />
        <title>${title} – Gleaner</title>
        <style>
          ${style} ${own}
        </style>
      </head>
      <body>
        <header>
          ${header}
          ${
            shown.length > 1 &&
            html`<nav aria-label="Sections">
              <ul>
                ${shown.map(([id, name]) => html`<li><a href="#${id}">${name}</a></li>`)}
              </ul>
            </nav>`
          }
        </header>
        <main>${shown.map(([, , content]) => content)}</main>
        <footer>${footer}</footer>
      </body>
    </html> `.text;
}

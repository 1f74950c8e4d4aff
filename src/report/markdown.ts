import { visible } from './html.ts';

/** Text as Markdown that shows it as it is: no link, no table cell, no HTML can be made of it. */
export function escapeMarkdown(text: string): string {
  return (
    visible(text)
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll(/[\\`*_{}[\]#|~$!]/g, '\\$&')
      // `www.` and `http://` become links by themselves in GitHub's dialect.
      .replaceAll(/:\/\//g, '\\://')
      .replaceAll(/www\./gi, '$&\u2060')
  );
}

/** A table of GitHub's dialect; cells are escaped, numbers to the right. */
export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [
    tableLine(header),
    tableLine(header.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...rows.map((row) => tableLine(row.map(escapeMarkdown))),
  ].join('\n');
}

function tableLine(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

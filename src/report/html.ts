/** Text that is HTML already: only `html` makes it. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Part = string | number | Html | undefined | false | readonly Part[];

/**
 * HTML in which everything put in is escaped, unless it is `Html` itself; lists are joined, absent parts
 * are nothing. Values go into text and into double-quoted attributes, nowhere else.
 * @example
 * html`<td title="${file}">${name}</td>`;
 */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(String.raw({ raw: strings }, ...parts.map(flatten)));
}

/** HTML that was written by hand in this code base (a style sheet). */
export function trusted(text: string): Html {
  return new Html(text);
}

function flatten(part: Part): string {
  if (part === undefined || part === false) return '';
  if (part instanceof Html) return part.text;
  if (typeof part === 'object') return part.map(flatten).join('');
  return escapeHtml(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

export function escapeHtml(text: string): string {
  return visible(text).replaceAll(/[&<>"'`]/g, (character) => ENTITIES[character]!);
}

/**
 * Control characters as their pictures (a newline in a file name as ␊), and marks that turn the direction
 * of writing as U+FFFD: with them, `gpj.exe` can be made to read `exe.jpg`.
 */
export function visible(text: string): string {
  return (
    text
      // oxlint-disable-next-line no-control-regex -- these are what is looked for
      .replaceAll(/[\0-\x1F]/g, (character) => String.fromCharCode(0x2400 + character.charCodeAt(0)))
      .replaceAll('\x7F', '\u2421')
      .replaceAll(/[\u0080-\u009F\u2028\u2029\u202A-\u202E\u2066-\u2069]/g, '\uFFFD')
      .replaceAll(/\p{Surrogate}/gu, '\uFFFD')
  );
}

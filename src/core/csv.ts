/** What a spreadsheet would run as a formula, and what was defused already. */
const FORMULA = /^'*[=+\-@\t\r]/;

/** A row by RFC 4180, without its line end; a leading `=`, `+`, `-` or `@` of a text is defused by `'`, as spreadsheets would run it. */
export function csvRow(cells: readonly (string | number)[]): string {
  return cells
    .map((cell) => {
      if (typeof cell === 'number') return String(cell);
      const safe = FORMULA.test(cell) ? `'${cell}` : cell;
      return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
    })
    .join(',');
}

/** The text that `csvRow` wrote into a cell. */
export function plainCell(cell: string): string {
  return cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell;
}

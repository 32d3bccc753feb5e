/**
 * The guard against spreadsheet formulas in CSV: a text that a spreadsheet would run gets a leading `'`, as OWASP advises. For texts and
 * the names of columns only: numbers, times and JSON text (which begins with `{`, `[`, `"` or a literal) never begin a formula.
 * It changes data, so it is asked for.
 */
const BEGINNINGS = ['=', '+', '-', '@', '\t', '\r', '\n'];
/** Control characters stand in no SQL text here. */
const SQL_LIST = BEGINNINGS.map((one) => (one < ' ' ? `chr(${one.charCodeAt(0)})` : `'${one}'`)).join(', ');

/** SQL for the text that `value`, an SQL expression of a text, becomes. */
export function guardedText(value: string): string {
  return `CASE WHEN ${value}[1] IN (${SQL_LIST}) THEN '''' || ${value} ELSE ${value} END`;
}

/** A column's name in the first line. */
export function guardedName(name: string): string {
  return BEGINNINGS.includes(name.charAt(0)) ? `'${name}` : name;
}

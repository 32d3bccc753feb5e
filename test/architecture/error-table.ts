/**
 * The table of errors in README, made from the catalogue: `npm run docs:errors` writes it, the architecture test holds it. The
 * table is the text between the heading `## Errors` and the next heading of that rank.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { ERRORS } from '../../src/model/errors.ts';

const README = new URL('../../README.md', import.meta.url);

export interface DocumentedError {
  readonly status: number;
  readonly retryable: boolean;
  readonly meaning: string;
}

/** The rows of the table as README should hold them, without the header. */
export function errorRows(catalogue: Readonly<Record<string, DocumentedError>>): string[] {
  return Object.keys(catalogue)
    .toSorted()
    .map((code) => {
      const kind = catalogue[code] as DocumentedError;
      return `| \`${code}\` | ${kind.status} | ${kind.retryable ? 'yes' : 'no'} | ${kind.meaning.replaceAll('|', '\\|')} |`;
    });
}

/** Complaints about the difference between the catalogue and the table, in both directions. */
export function errorTableComplaints(catalogue: Readonly<Record<string, DocumentedError>>, readme: string): string[] {
  const expected = new Set(errorRows(catalogue));
  const present = new Set(tableRows(readme));
  return [
    ...[...expected].filter((row) => !present.has(row)).map((row) => `README lacks ${row}`),
    ...[...present].filter((row) => !expected.has(row)).map((row) => `README has, the catalogue not: ${row}`),
  ];
}

function tableRows(readme: string): string[] {
  const section = /^## Errors\n([\s\S]*?)(?=^## |(?![\s\S]))/m.exec(readme)?.[1] ?? '';
  return section.split('\n').filter((line) => line.startsWith('| `'));
}

function writeTable(): void {
  const readme = readFileSync(README, 'utf8');
  const old = tableRows(readme);
  const first = old[0];
  const separator = '|---|---|---|---|\n';
  const start = first === undefined ? readme.indexOf(separator) + separator.length : readme.indexOf(first);
  const end = start + old.reduce((length, row) => length + row.length + 1, 0);
  writeFileSync(README, `${readme.slice(0, start)}${errorRows(ERRORS).join('\n')}\n${readme.slice(end)}`);
}

if (import.meta.main) writeTable();

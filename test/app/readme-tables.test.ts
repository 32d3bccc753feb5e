import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { COMMANDS } from '../../src/cli/commands.ts';
import { REJECT_CODES } from '../../src/model/data-file.ts';
import { LIMITS, MIB } from '../../src/model/limits.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

function rowsOf(heading: string): string[] {
  const section = readme.split(new RegExp(`^## ${heading}\n`, 'm'))[1]?.split(/^## /m)[0] ?? '';
  return section.split('\n').filter((line) => /^\| [`\d]/.test(line));
}

function valueText(key: string, value: number): string {
  if (key.includes('Bytes')) return value % MIB === 0 ? `${value / MIB} MiB` : `${value} B`;
  if (key.includes('Ms')) return value % 3_600_000 === 0 ? `${value / 3_600_000} h` : `${value / 1000} s`;
  return value.toLocaleString('en-US');
}

test('README lists every reject code with its meaning, and no other', () => {
  expect(rowsOf('Rejected rows')).toEqual(
    Object.entries(REJECT_CODES).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`),
  );
});

test('README lists every limit with its value, and no other', () => {
  const rows = rowsOf('Limits').map((row) => row.split(' | ').slice(0, 2).join(' | '));
  expect(rows).toEqual(Object.entries(LIMITS).map(([key, value]) => `| \`${key}\` | ${valueText(key, value)}`));
});

test('README lists every exit code, and no other', () => {
  const codes = rowsOf('Commands').map((row) => Number(row.split(' | ')[0]?.slice(2)));
  expect(codes).toEqual(Object.values(EXIT));
});

test('every command that README shows exists', () => {
  const shown = [...readme.matchAll(/^(?:.*\| )?lakeward ([a-z]+(?: [a-z]+)?)/gm)].map((match) => match[1] ?? '');
  const known = new Set(COMMANDS.map(({ name }) => name));
  const unknown = shown.filter((words) => !known.has(words) && !known.has(words.split(' ')[0] ?? ''));
  expect(shown.length).toBeGreaterThan(8);
  expect(unknown).toEqual([]);
});

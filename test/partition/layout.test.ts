import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isLakewardError } from '../../src/model/errors.ts';
import { lakePath } from '../../src/model/lake-path.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { compileLayout } from '../../src/partition/layout.ts';

const T = Date.UTC(2026, 10, 5, 7, 9, 3);
const text = fc.string({ unit: 'binary', maxLength: 12 });

function refusal(template: string): { message: string; position: unknown } {
  try {
    compileLayout(template);
  } catch (error) {
    if (isLakewardError(error, 'layout-invalid')) {
      return { message: error.message, position: error.details?.['position'] };
    }
    throw error;
  }
  throw new Error(`'${template}' was accepted`);
}

describe('layouts', () => {
  it.each([
    ['year={yyyy}/month={MM}/day={dd}/hour={HH}/', [], 'year=2026/month=11/day=05/hour=07'],
    ['{yyyy}/{MM}/{dd}/{HH}/', [], '2026/11/05/07'],
    ['dt={yyyy}-{MM}-{dd}T{HH}{mm}', [], 'dt=2026-11-05T0709'],
    ['product_id={product_id}/', ['a b/ü'], 'product_id=a%20b%2F%C3%BC'],
    ['{a.b}/day={dd}/', [null], 'HIVE_DEFAULT_PARTITION/day=05'],
    ['a={a}/b={b}', [null, ''], 'a=__HIVE_DEFAULT_PARTITION__/b=__EMPTY__'],
    ['', [], ''],
  ])('turns %s into folders', (template, fields, partition) => {
    expect(compileLayout(template).format({ timeMs: T, fields })).toBe(partition);
  });

  it('names its fields and units', () => {
    const layout = compileLayout('m={mm}/{a.b}/h={HH}/x={c}');
    expect([layout.fields, layout.units, layout.template]).toEqual([
      ['a.b', 'c'],
      ['HH', 'mm'],
      'm={mm}/{a.b}/h={HH}/x={c}/',
    ]);
  });

  it.each([
    ['/a/', 0, 'starts with a folder'],
    ['a//b/', 2, 'empty folder'],
    ['a/../b', 2, "'..'"],
    ['a/./b', 2, "'.'"],
    ['_x/', 0, 'reserved'],
    ['.x/', 0, 'reserved'],
    ['x={YYYY}/', 2, '{YYYY} is no time unit'],
    ['x={ss}/', 2, '{ss} is no time unit'],
    ['x={a', 2, 'not closed'],
    ['x={a{b}}', 2, 'not closed'],
    ['x=a}', 3, 'no {'],
    ['x={}', 2, 'names no field'],
    ['x={a..b}', 2, 'names no field'],
    ['x={a}{b}', 0, 'two fields'],
    ['{a}/{a}', 4, 'twice'],
    ['a\\b', 1, "'\\'"],
    ['a%2F', 1, "'%'"],
    [`${'x'.repeat(120)}{a}${'x'.repeat(120)}`, 0, '250 bytes'],
  ])('refuses %s and says where and what is accepted', (template, position, words) => {
    const { message, position: at } = refusal(template);
    expect(at).toBe(position);
    expect(message).toContain(words);
    expect(message).toContain('{yyyy} {MM} {dd} {HH} {mm}');
  });

  it.each([
    '..',
    '.',
    '',
    '/',
    '../../etc',
    '__HIVE_DEFAULT_PARTITION__',
    '__EMPTY__',
    'HIVE_DEFAULT_PARTITION',
    'EMPTY',
    '_lakeward',
    'a=b',
    '%2E',
    '\0',
  ])('keeps the value %j in a visible folder of its own', (value) => {
    const layout = compileLayout('{f}/hour={HH}/');
    const partition = layout.format({ timeMs: T, fields: [value] }) ?? '';
    lakePath(partition);
    expect(partition.split('/')).toHaveLength(2);
    expect(partition.startsWith('.')).toBe(false);
    expect(partition.startsWith('_')).toBe(false);
    expect(layout.parse(partition)?.fields).toEqual([value]);
  });

  it('refuses values over the limit, at the limit they pass', () => {
    const layout = compileLayout('f={f}');
    const max = LIMITS.partitionValueBytesMax;
    expect(layout.format({ timeMs: T, fields: ['x'.repeat(max)] })).toHaveLength(max + 2);
    expect(layout.format({ timeMs: T, fields: ['x'.repeat(max + 1)] })).toBeUndefined();
    expect(layout.format({ timeMs: T, fields: ['ü'.repeat(max / 6 + 1)] })).toBeUndefined();
  });

  it('reads back what it wrote, for any values', () => {
    const layouts = [compileLayout('{f}/y={yyyy}-{MM}/{g}-x'), compileLayout('a={f}/{dd}{g}{HH}/{mm}{yyyy}')];
    const value = fc.option(fc.oneof(text, fc.constantFrom('.', '..', '_a', '__EMPTY__', 'EMPTY', '%')), { nil: null });
    fc.assert(
      fc.property(fc.constantFrom(...layouts), value, value, fc.date({ noInvalidDate: true }), (layout, f, g, date) => {
        fc.pre(date.getUTCFullYear() >= 1 && date.getUTCFullYear() <= 9999);
        const partition = layout.format({ timeMs: date.getTime(), fields: [f, g] });
        fc.pre(partition !== undefined);
        lakePath(partition ?? '');
        const parsed = layout.parse(partition ?? '');
        expect(parsed?.fields).toEqual([f, g]);
        expect(parsed?.units.yyyy).toBe(date.getUTCFullYear());
      }),
    );
  });

  it('parses nothing that it cannot have written', () => {
    const layout = compileLayout('f={f}/{yyyy}/{yyyy}');
    for (const other of [
      '',
      'f=a',
      'f=a/2026/2025',
      'f=a/26/26',
      'f=%2f/2026/2026',
      'f=%41/2026/2026',
      'f=%FF/2026/2026',
    ]) {
      expect(layout.parse(other)).toBeUndefined();
    }
    fc.assert(
      fc.property(text, (value) => {
        const parsed = layout.parse(`f=${value}/2026/2026`);
        const again = parsed && layout.format({ timeMs: Date.UTC(2026), fields: parsed.fields });
        expect(again ?? `f=${value}/2026/2026`).toBe(`f=${value}/2026/2026`);
      }),
    );
  });
});

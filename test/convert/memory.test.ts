/** What does not fit an engine: partitions of wide rows, large values, more partitions than a landing takes. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { spoolBounds } from '../../src/convert/engine/spools.ts';
import type { ColumnType } from '../../src/model/column-plan.ts';
import { GIB, KIB, LIMITS, MIB } from '../../src/model/limits.ts';
import { INT64, STRING, batchOf, bench, columns, rejectedRows, source } from './records.ts';

const JSON_TYPE: ColumnType = { kind: 'json' };
const LACKING = { code: 'convert-failed', details: { resource: true } };
const plan = (types: Readonly<Record<string, ColumnType>>) =>
  ({ version: 1, misfit: 'extra', columns: columns(types) }) as const;

describe('an engine short of memory', () => {
  it('writes few partitions at once when rows are wide', async () => {
    const made = await bench({ memoryBytes: 96 * MIB });
    try {
      const names = Array.from({ length: 100 }, (_, i) => `c${i}`);
      const wide = plan(Object.fromEntries([...names, 'p'].map((name) => [name, STRING])));
      const rows = Array.from({ length: 180 }, (_, id) => ({
        ...Object.fromEntries(names.map((name) => [name, `${name}-${id}`])),
        p: `p${id % 90}`,
      }));
      const result = await made.converter.convert(
        await made.job({ plan: wide, layout: '{p}/' }),
        source(batchOf(rows)),
      );
      expect([result.rows, result.rejected]).toEqual([180, undefined]);
      expect(new Set(result.files.map(({ partition }) => partition)).size).toBe(90);
    } finally {
      await made.close();
    }
  }, 30_000);

  it('groups by memory and columns, between one partition and the limit', () => {
    expect(spoolBounds(GIB, 1)).toEqual({ singlesMax: 32, groupMax: LIMITS.partitionsPerPartMax });
    expect(spoolBounds(304 * MIB, 128)).toEqual({ singlesMax: 32, groupMax: 32 });
    expect(spoolBounds(64 * KIB, 1000)).toEqual({ singlesMax: 1, groupMax: 1 });
  });

  it('gives many large records back as too many, blames none, and takes a part of them', async () => {
    const made = await bench({ memoryBytes: 96 * MIB });
    try {
      const record = (id: number) => ({ id, j: { text: 'x'.repeat(MIB) } });
      const given = await made.job({ plan: plan({ id: INT64, j: JSON_TYPE }) });
      const batches = Array.from({ length: 96 }, (_, id) => batchOf([record(id)], 0, id));
      await expect(made.converter.convert(given, source(...batches))).rejects.toMatchObject(LACKING);
      const result = await made.converter.convert(given, source(...batches.slice(0, 4)));
      expect([result.rows, result.rejected]).toEqual([4, undefined]);
    } finally {
      await made.close();
    }
  }, 30_000);

  it('rejects a record that does not fit alone', async () => {
    const made = await bench({ memoryBytes: 40 * MIB });
    try {
      const given = await made.job({ plan: plan({ id: INT64, j: JSON_TYPE }) });
      const large = batchOf([{ id: 1, j: { text: 'x'.repeat(9 * MIB) } }], 2, 7);
      const result = await made.converter.convert(given, source(large));
      expect(result.rows).toBe(0);
      expect((await rejectedRows(result)).map(({ code, shard, offset }) => [code, shard, offset])).toEqual([
        ['engine-crash', 2, 7],
      ]);
    } finally {
      await made.close();
    }
  }, 30_000);
});

describe('partitions beyond the limit of a landing', () => {
  it('give the rows back as too many, and leave nothing in the folder', async () => {
    const made = await bench();
    try {
      const given = await made.job({ plan: plan({ p: STRING }), layout: '{p}/' });
      const rows = Array.from({ length: LIMITS.partitionsPerLandingMax + 1 }, (_, id) => ({ p: `p${id}` }));
      await expect(made.converter.convert(given, source(batchOf(rows)))).rejects.toMatchObject(LACKING);
      expect(readdirSync(given.directory)).toEqual([]);
    } finally {
      await made.close();
    }
  });
});

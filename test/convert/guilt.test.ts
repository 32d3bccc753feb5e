import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findDeadlyRows } from '../../src/convert/crash-hunt.ts';
import type { RecordBatch } from '../../src/model/record-batch.ts';
import { INT64, STRING, allRows, batchOf, bench, columns, rejectedRows, source } from './records.ts';
import { treeOf } from '../bench/process-tree.ts';

const isEngine = (pid: number): boolean => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('engine-main');

/** Batches, and how often they were begun. */
function counted(...batches: RecordBatch[]): AsyncIterable<RecordBatch> & { tries: number } {
  const given = {
    tries: 0,
    async *[Symbol.asyncIterator]() {
      given.tries++;
      yield* batches;
    },
  };
  return given;
}

const marked = (count: number, marks: (id: number) => boolean): object[] =>
  Array.from({ length: count }, (_, id) => ({ id, ...(marks(id) ? { note: 'FAIL' } : {}) }));

describe('engines', () => {
  it('that die on a record are replaced, and the record is rejected', async () => {
    const crashing = await bench({ crashMarker: 'KILL' });
    try {
      const records = Array.from({ length: 40 }, (_, id) => ({
        id,
        ...(id === 7 || id === 35 ? { note: 'KILL' } : {}),
      }));
      const plan = { version: 1, misfit: 'extra', columns: columns({ id: INT64 }) } as const;
      const given = await crashing.job({ plan });
      const result = await crashing.converter.convert(
        given,
        source(batchOf(records.slice(0, 20)), batchOf(records.slice(20), 2, 5)),
      );
      expect((await rejectedRows(result)).map(({ code, shard, offset }) => [code, shard, offset])).toEqual([
        ['engine-crash', 0, 7],
        ['engine-crash', 2, 20],
      ]);
      expect((await allRows(result)).length).toBe(38);
      expect(readdirSync(given.directory).sort()).toEqual(['rejected.ndjson', 'spool-0.parquet']);
    } finally {
      await crashing.close();
    }
  }, 60_000);

  it('that hang are killed and replaced', async () => {
    const hanging = await bench({ hangMarker: 'HANG', hangMs: 700 });
    try {
      const result = await hanging.converter.convert(
        await hanging.job({}),
        source(batchOf([{ id: 1 }, { id: 2, x: 'HANG' }])),
      );
      expect((await rejectedRows(result)).map(({ code, offset }) => [code, offset])).toEqual([['engine-crash', 1]]);
    } finally {
      await hanging.close();
    }
  }, 60_000);

  it('that are silent over many bytes are not taken for hung', async () => {
    const slow = await bench({ hangMs: 700 });
    try {
      const notes = { a: STRING, b: STRING, c: STRING };
      const plan = { version: 1, misfit: 'extra', columns: columns({ id: INT64, ...notes }) } as const;
      const records = Array.from({ length: 10_000 }, (_, id) => ({
        id,
        a: `a-${id}`,
        b: `b-${id * 7}`,
        c: `c-${id * 3}`,
      }));
      const given = counted(...Array.from({ length: 100 }, (_, i) => batchOf(records, 0, i * records.length)));
      const result = await slow.converter.convert(await slow.job({ plan }), given);
      expect([result.rows, result.rejected, given.tries]).toEqual([1_000_000, undefined, 1]);
    } finally {
      await slow.close();
    }
  }, 60_000);

  it('ended from outside are replaced, and no record is blamed', async () => {
    const made = await bench();
    try {
      await made.converter.open();
      const engine = treeOf(process.pid).find(isEngine);
      const given = await made.job({});
      const killing = {
        tries: 0,
        async *[Symbol.asyncIterator]() {
          yield batchOf([{ id: 1 }]);
          if (killing.tries++ === 0) process.kill(engine ?? 0, 'SIGKILL');
          yield await Promise.resolve(batchOf([{ id: 2 }], 0, 1));
        },
      };
      const result = await made.converter.convert(given, killing);
      expect([result.rows, result.rejected, killing.tries]).toEqual([2, undefined, 2]);
    } finally {
      await made.close();
    }
  });
});

describe('an error of the engine that is not its death', () => {
  it('of the whole job gives the job back within few tries, and rejects nothing', async () => {
    const made = await bench();
    try {
      const plan = {
        version: 1,
        misfit: 'extra',
        columns: columns({ id: INT64, big: { kind: 'decimal', precision: 60, scale: 2 } }),
      } as const;
      const given = await made.job({ plan });
      const batches = counted(batchOf(marked(5000, () => false)));
      await expect(made.converter.convert(given, batches)).rejects.toMatchObject({
        code: 'convert-failed',
        message: expect.stringMatching(/DECIMAL|precision|width/i) as string,
      });
      expect(batches.tries).toBeLessThanOrEqual(2);
      expect(readdirSync(given.directory).filter((name) => name.startsWith('rejected'))).toEqual([]);
    } finally {
      await made.close();
    }
  });

  it('on one record rejects that record, and its neighbours land', async () => {
    const made = await bench({ failMarker: 'FAIL' });
    try {
      const plan = { version: 1, misfit: 'extra', columns: columns({ id: INT64 }) } as const;
      const records = marked(400, (id) => id === 123);
      const result = await made.converter.convert(await made.job({ plan }), source(batchOf(records, 3, 1000)));
      expect((await rejectedRows(result)).map(({ code, shard, offset }) => [code, shard, offset])).toEqual([
        ['engine-crash', 3, 1123],
      ]);
      expect((await allRows(result)).map(({ id }) => Number(id))).toEqual(
        Array.from({ length: 400 }, (_, id) => id).filter((id) => id !== 123),
      );
    } finally {
      await made.close();
    }
  });

  it.each([
    ['all of many', 5000, () => true],
    ['half of many', 5000, (id: number) => id % 2 === 0],
    ['all of few', 20, () => true],
    ['a fifth of many', 200, (id: number) => id % 5 === 0],
  ])('on %s records blames none of them', async (_, count, marks) => {
    const made = await bench({ failMarker: 'FAIL' });
    try {
      const batches = counted(batchOf(marked(count, marks)));
      const given = await made.job({ plan: { version: 1, misfit: 'extra', columns: columns({ id: INT64 }) } });
      await expect(made.converter.convert(given, batches)).rejects.toMatchObject({ code: 'convert-failed' });
      expect(batches.tries).toBeLessThan(count === 200 ? 200 : 20);
    } finally {
      await made.close();
    }
  });
});

describe('the hunt for deadly rows', () => {
  const hunt = async (count: number, deadly: readonly number[], triesMax = 10_000): Promise<number[] | undefined> =>
    findDeadlyRows(count, ({ from, to }) => Promise.resolve(!deadly.some((row) => row >= from && row < to)), {
      triesMax,
      guiltyMax: 3,
    });

  it('finds every one of a few among many', async () => {
    expect(await hunt(1_000_000, [0, 77_777, 999_999])).toEqual([0, 77_777, 999_999]);
    expect(await hunt(1, [0])).toEqual([0]);
    expect(await hunt(1_000_000, [])).toEqual([]);
  });

  it('gives none when there are more than may be blamed', async () => {
    expect(await hunt(1_000_000, [1, 2, 3, 4])).toBeUndefined();
  });

  it('gives what it found when the tries end', async () => {
    expect(await hunt(1_000_000, [5, 999_999], 45)).toEqual([5]);
  });

  it('blames no row that fails only once or only beside others', async () => {
    let failures = 0;
    const flaky = await findDeadlyRows(8, () => Promise.resolve(failures++ > 2), { triesMax: 100, guiltyMax: 3 });
    expect(flaky).toEqual([]);
    const pairs = await findDeadlyRows(64, ({ from, to }) => Promise.resolve(to - from < 2), {
      triesMax: 1000,
      guiltyMax: 3,
    });
    expect(pairs).toEqual([]);
  });
});

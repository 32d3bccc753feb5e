import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { frameBatch, soundFrame } from '../../src/broker/embedded/frame.ts';
import { buildGroup, createArena, sealGroup } from '../../src/broker/embedded/group.ts';
import { scanFrames } from '../../src/broker/embedded/scan.ts';
import { snapshot, smallLog } from './small-log.ts';
import { recordsOf, textBatch } from './text-batch.ts';

const ID = { low: 0x1234_5678, high: 0x9abc_def0 };
const SHARDS = 4;

const batches = fc.array(
  fc.record({
    arrivalMs: fc.integer({ min: 0, max: 2 ** 42 }),
    records: fc.array(
      fc.record({
        shard: fc.nat(SHARDS - 1),
        key: fc.string({ maxLength: 40 }),
        data: fc.string({ unit: 'binary', maxLength: 60 }),
      }),
      { minLength: 1, maxLength: 12 },
    ),
  }),
  { minLength: 1, maxLength: 5 },
);

describe('frames', () => {
  test('hold exactly the records of their group, in order, at the offsets answered', () => {
    const arena = createArena();
    fc.assert(
      fc.property(batches, fc.array(fc.nat(2 ** 31), { minLength: SHARDS, maxLength: SHARDS }), (given, starts) => {
        const group = buildGroup(
          given.map(({ records, arrivalMs }) => textBatch(records, arrivalMs)),
          Float64Array.from(starts),
          arena,
        );
        sealGroup(group, ID, 640);
        const bytes = group.bytes.slice();
        const { frames, bad } = scanFrames(bytes, 0, ID);
        expect(bad).toEqual([]);
        expect(frames.every(({ groupStart }) => groupStart === 640)).toBe(true);
        const read = recordsOf(frames.map((frame) => frameBatch(bytes, frame.position, frame, 0)));
        const next = [...starts];
        const take = (shard: number): number => {
          const offset = next[shard] as number;
          next[shard] = offset + 1;
          return offset;
        };
        const expected = given.flatMap(({ records, arrivalMs }) =>
          records.map((record) => ({ ...record, arrivalMs, offset: take(record.shard) })),
        );
        const order = (a: { shard: number; offset: number }, b: { shard: number; offset: number }): number =>
          a.shard - b.shard || a.offset - b.offset;
        expect(read.toSorted(order)).toEqual(expected.toSorted(order));
        expect(group.offsets.flatMap((offsets) => [...offsets])).toEqual(expected.map(({ offset }) => offset));
      }),
    );
  });

  test('are not found in arbitrary bytes, and arbitrary bytes around them do not hide them', () => {
    const group = buildGroup(
      [textBatch([{ shard: 1, key: 'k', data: 'data' }], 5)],
      new Float64Array(SHARDS),
      createArena(),
    );
    sealGroup(group, ID, 0);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.uint8Array({ maxLength: 100 }), (before, after) => {
        expect(scanFrames(before, 0, ID).frames).toEqual([]);
        const padded = new Uint8Array(Math.ceil(before.length / 8) * 8);
        padded.set(before);
        const { frames, bad } = scanFrames(Buffer.concat([padded, group.bytes, after]), 0, ID);
        expect(frames.map(({ position }) => position)).toEqual([padded.length]);
        expect(bad.length).toBe((before.length > 0 ? 1 : 0) + (after.length > 0 ? 1 : 0));
      }),
    );
  });

  test('of another segment, or cut anywhere, are none', () => {
    const group = buildGroup(
      [textBatch([{ shard: 0, key: 'k', data: 'data' }], 5)],
      new Float64Array(1),
      createArena(),
    );
    sealGroup(group, ID, 0);
    expect(soundFrame(group.bytes, 0, { low: 1, high: 2 })).toBeUndefined();
    for (let length = 0; length < group.bytes.length; length++) {
      expect(soundFrame(group.bytes.slice(0, length), 0, ID)).toBeUndefined();
    }
  });

  test('larger than a mebibyte are split, and every record stays whole', () => {
    const records = Array.from({ length: 30 }, (_, i) => ({ shard: 0, key: `${i}`, data: `${i}`.repeat(50_000) }));
    const group = buildGroup([textBatch(records, 1)], new Float64Array(1), createArena());
    expect(group.frames.length).toBeGreaterThan(1);
    sealGroup(group, ID, 0);
    const bytes = group.bytes.slice();
    const read = recordsOf(group.frames.map((frame) => frameBatch(bytes, frame.position, frame, 0)));
    expect(read.map(({ data }) => data)).toEqual(records.map(({ data }) => data));
  });
});

describe('the persisted layout, version 1', () => {
  const golden = new URL('./golden/v1.json', import.meta.url);

  async function written(): Promise<Record<string, string>> {
    const log = smallLog();
    const broker = await log.open();
    for (let i = 0; i < 8; i++) await log.append(broker, i % 2, `first ${i}`, `second ${i}`);
    await Promise.all([
      log.append(broker, 0, 'shares'),
      log.clock.advance(5).then(() => log.append(broker, 0, 'a write')),
    ]);
    await broker.close();
    return Object.fromEntries(
      [...snapshot(log.disk)].map(([path, bytes]) => [path, Buffer.from(bytes).toString('hex')]),
    );
  }

  test('is byte for byte the golden file (LAKEWARD_WRITE_GOLDEN=1 writes it)', async () => {
    const now = await written();
    if (process.env['LAKEWARD_WRITE_GOLDEN'] === '1') {
      mkdirSync(new URL('.', golden), { recursive: true });
      writeFileSync(golden, `${JSON.stringify(now, undefined, 2)}\n`);
    }
    expect(now).toEqual(JSON.parse(readFileSync(golden, 'utf8')));
  });
});

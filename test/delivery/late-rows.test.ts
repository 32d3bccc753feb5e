/** Late rows that a delivery holds: when they show, as what, and that no way of ending the hold leaves any of them hidden. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { STYLE } from '../../src/app/compaction-place.ts';
import { releaseHeld } from '../../src/compaction/release.ts';
import type { DeliveryStage } from '../../src/delivery/deliveries.ts';
import { dueFiles, hasRoom } from '../../src/delivery/late-rows.ts';
import type { DeliveryRoom } from '../../src/delivery/room.ts';
import type { HeldFile } from '../../src/landing/live-files.ts';
import type { LandingStep } from '../../src/landing/steps.ts';
import { LakewardError } from '../../src/model/errors.ts';
import { LIMITS, MIB } from '../../src/model/limits.ts';
import type { LakePath } from '../../src/model/lake-path.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { inTime, makeWorld, triggeredScheduler, type World } from './stage-fixture.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const RULE = { holdMs: 15 * MINUTE_MS, bytes: 4 * MIB };

function heldFile(partition: string, bytes: number, sinceMs: number): HeldFile {
  const facts = { path: '_lakeward/d/held/x' as LakePath, rows: 1, checksum: '', eventMinMs: 0, eventMaxMs: 0 };
  const file = { ...facts, partition, bytes, planVersion: 1, closedBecause: 'age' as const, columns: [] };
  return { kind: 'held', file, sinceMs };
}

describe('what is due', () => {
  const arbitrary = fc.array(
    fc
      .record({ hour: fc.nat(5), bytes: fc.integer({ min: 1, max: MIB }), age: fc.nat(30) })
      .map(({ hour, bytes, age }) => heldFile(`hour=${hour}`, bytes, -age * MINUTE_MS)),
    { maxLength: 40 },
  );

  test('is whole partitions, all that wait long enough, and enough to have room again', () => {
    fc.assert(
      fc.property(arbitrary, (held) => {
        const due = new Set(dueFiles(held, RULE, 0));
        const rest = held.filter((file) => !due.has(file));
        const partitions = new Set([...due].map(({ file }) => file.partition));
        expect(rest.every(({ file }) => !partitions.has(file.partition))).toBe(true);
        expect(rest.every(({ sinceMs }) => -sinceMs < RULE.holdMs)).toBe(true);
        const bytes = (files: readonly HeldFile[]): number => files.reduce((sum, { file }) => sum + file.bytes, 0);
        if (bytes(held) > 0.75 * RULE.bytes) expect(bytes(rest)).toBeLessThanOrEqual(RULE.bytes / 2);
        else
          expect(
            [...due].every(({ file }) =>
              held.some((one) => one.file.partition === file.partition && -one.sinceMs >= RULE.holdMs),
            ),
          ).toBe(true);
      }),
    );
  });

  test('is everything once nothing is to be held', () => {
    const held = [heldFile('hour=0', 1, 0)];
    expect([dueFiles(held, undefined, 0), dueFiles(held, RULE, 0)]).toEqual([held, []]);
  });

  test('leaves no room beyond the bounds, nor when nobody releases', () => {
    const fits = (held: readonly HeldFile[], more: readonly HeldFile[], nowMs = 0): boolean =>
      hasRoom(
        held,
        more.map(({ file }) => file),
        { ...RULE, nowMs },
      );
    const file = heldFile('hour=0', 1, 0);
    const whole = heldFile('hour=0', RULE.bytes, 0);
    const many = (count: number): HeldFile[] => Array.from({ length: count }, () => file);
    expect([fits([], [whole]), fits([whole], []), fits([whole], [file])]).toEqual([true, true, false]);
    const max = LIMITS.heldFilesMax;
    expect([fits(many(max - 1), [file]), fits(many(max), [file]), fits([], many(max + 1))]).toEqual([
      true,
      false,
      false,
    ]);
    expect([59, 60].map((minutes) => fits([file], [file], minutes * MINUTE_MS))).toEqual([true, false]);
  });
});

describe('a delivery that holds late rows', () => {
  let world: World;
  let hourMs: number;
  beforeEach(async () => {
    world = await makeWorld();
    await world.stream('events');
    hourMs = Math.ceil(world.clock.nowMs() / HOUR_MS) * HOUR_MS;
    await world.clock.advance(hourMs + 3 * HOUR_MS - world.clock.nowMs());
  });
  afterEach(() => world.close());

  const SPEC = {
    name: 'd',
    stream: 'events',
    layout: '{yyyy}/{MM}/{dd}/{HH}/',
    format: 'ndjson',
    eventTime: { field: 'at', form: 'ms' },
    allowedLateness: '0s',
    flush: { records: 1, age: '1m' },
  };
  const LATE = { late: { hold: '15m' } };

  async function open(change: Partial<DeliveryRoom> = {}): Promise<DeliveryStage> {
    const { lake, clock, local, converter } = world;
    const scratch = {
      make: async () => '/late',
      async writePieces(path: string, pieces: AsyncIterable<Uint8Array>) {
        const all: Uint8Array[] = [];
        for await (const piece of pieces) all.push(Uint8Array.from(piece));
        local.set(path, new Uint8Array(Buffer.concat(all)));
        return 0;
      },
      remove: async () => undefined,
    };
    const parts = { lake, clock, converter, scratch, style: STYLE, telemetry: silentTelemetry() };
    return world.stage({ releaseHeld: (order) => releaseHeld(parts, order), ...change });
  }

  async function land(id: string, at: number): Promise<void> {
    await world.put([id], { fields: { at } });
    await world.clock.advance(5000);
  }

  /** One row in time, then two that come late for its hour, each landed by itself. */
  async function landLate(): Promise<void> {
    await land('a', hourMs);
    await land('b', hourMs + 2 * HOUR_MS);
    await land('late 1', hourMs + 1);
    await land('late 2', hourMs + 2);
  }

  async function dropStream(): Promise<void> {
    const id = world.catalog.read().stream.get('events')?.id;
    await world.catalog.edit(() => [{ kind: 'stream', key: 'events' }]);
    if (id !== undefined) await world.broker.remove(id);
  }

  const hidden = async (): Promise<number> =>
    (await world.lake.list('')).files.filter(({ path }) => path.includes('/held/')).length;
  const filesOfHour = async (): Promise<number> => {
    const folder = `d/${new Date(hourMs).toISOString().slice(0, 13).replaceAll(/[-T]/g, '/')}/`;
    return (await world.paths()).filter((path) => path.startsWith(folder)).length;
  };

  test('shows them to nobody until the oldest waited long enough, then as one file', async () => {
    const scheduler = triggeredScheduler();
    const stage = await open({ scheduler });
    await stage.create(stage.parse({ ...SPEC, ...LATE }));
    await landLate();
    const maintain = () => inTime(world.clock, scheduler.trigger('delivery maintenance d'));
    await maintain();
    expect([await world.landed(), await hidden(), await filesOfHour()]).toEqual([['a', 'b'], 2, 1]);
    const hour = new Date(hourMs).toISOString().slice(0, 13);
    expect(await stage.completeness('d', { hour })).toMatchObject({ complete: true, rows: 1, heldRows: 2 });
    expect((await stage.status('d'))[0]).toMatchObject({ rows: 4, lateRows: 2, held: { rows: 2, files: 2 } });
    expect((await stage.files('d')).items).toHaveLength(2);

    await world.clock.advance(15 * MINUTE_MS);
    await maintain();
    expect([await world.landed(), await hidden(), await filesOfHour()]).toEqual([['a', 'b', 'late 1', 'late 2'], 0, 2]);
    expect((await stage.status('d'))[0]?.held).toBeUndefined();
    const complete = await stage.completeness('d', { hour });
    expect([complete.rows, complete.heldRows]).toEqual([3, undefined]);
  });

  test('shows them at once when an operator flushes', async () => {
    const stage = await open();
    await stage.create(stage.parse({ ...SPEC, ...LATE }));
    await landLate();
    await world.put(['late 3'], { fields: { at: hourMs } });
    await inTime(world.clock, stage.flush('d'));
    expect([(await world.landed()).length, await hidden(), await filesOfHour()]).toEqual([5, 0, 2]);
  });

  test('shows what it held when it holds no more, also after a restart', async () => {
    const scheduler = triggeredScheduler();
    const first = await open();
    await first.create(first.parse({ ...SPEC, ...LATE }));
    await landLate();
    await inTime(world.clock, first.update(first.parse(SPEC)));
    await inTime(world.clock, first.close());
    expect(await hidden()).toBe(2);
    await open({ scheduler });
    await world.clock.advance(MINUTE_MS);
    await inTime(world.clock, scheduler.trigger('delivery maintenance d'));
    expect([(await world.landed()).length, await hidden()]).toEqual([4, 0]);
    await land('late 3', hourMs);
    expect([(await world.landed()).length, await hidden()]).toEqual([5, 0]);
  });

  test.each(['staged', 'entry-created', 'published-one', 'removed-one', 'published', 'marked'] as const)(
    'shows each of them once after it died at %s of a release',
    async (name) => {
      const dying = triggeredScheduler();
      let armed = false;
      const step = (at: LandingStep): void => {
        if (armed && at === name) throw new Error('died');
      };
      const first = await open({ scheduler: dying, step });
      await first.create(first.parse({ ...SPEC, ...LATE }));
      await landLate();
      await world.clock.advance(15 * MINUTE_MS);
      armed = true;
      await expect(inTime(world.clock, dying.trigger('delivery maintenance d'))).rejects.toThrow('died');
      armed = false;
      await inTime(world.clock, first.close());
      const scheduler = triggeredScheduler();
      await open({ scheduler });
      await inTime(world.clock, scheduler.trigger('delivery maintenance d'));
      const shown = [await world.landed(), await hidden(), await filesOfHour()];
      expect(shown).toEqual([['a', 'b', 'late 1', 'late 2'], 0, 2]);
    },
  );

  test('makes held rows anew that the lake lost, and keeps them hidden', async () => {
    const stage = await open();
    await stage.create(stage.parse({ ...SPEC, ...LATE }));
    await land('a', hourMs);
    await land('b', hourMs + 2 * HOUR_MS);
    const { publish } = world.lake;
    world.lake.publish = async (handle, options) => {
      if (handle.final.includes('/held/')) {
        await world.lake.discard(handle, options);
        world.lake.publish = publish;
      }
      return publish(handle, options);
    };
    await land('late 1', hourMs + 1);
    expect([await world.landed(), await hidden(), await filesOfHour()]).toEqual([['a', 'b'], 1, 1]);
    expect((await stage.status('d'))[0]).toMatchObject({ state: 'running', held: { rows: 1, files: 1 } });
    await inTime(world.clock, stage.flush('d'));
    expect([await world.landed(), await hidden()]).toEqual([['a', 'b', 'late 1'], 0]);
  });

  test('shows what it held when it is deleted', async () => {
    const stage = await open();
    await stage.create(stage.parse({ ...SPEC, ...LATE }));
    await landLate();
    await inTime(world.clock, stage.remove('d'));
    expect([(await world.landed()).length, await hidden()]).toEqual([4, 0]);
  });

  test('shows what it held when its file does not declare it any more', async () => {
    const first = await open();
    await inTime(world.clock, first.declare([first.parse({ ...SPEC, ...LATE })]));
    await landLate();
    await inTime(world.clock, first.close());
    const { catalog } = world;
    const second = await open();
    await inTime(world.clock, second.declare([]));
    expect(catalog.read().delivery.has('d')).toBe(false);
    expect([(await world.landed()).length, await hidden()]).toEqual([4, 0]);
  });

  test('shows the rows of one hour also when those of another cannot be read', async () => {
    const scheduler = triggeredScheduler();
    const stage = await open({ scheduler });
    await stage.create(stage.parse({ ...SPEC, ...LATE }));
    await landLate();
    await land('late 3', hourMs + HOUR_MS);
    const { read } = world.lake;
    const lost = new Date(hourMs).toISOString().slice(0, 13).replaceAll(/[-T]/g, '/');
    world.lake.read = (path, options) => {
      if (path.includes(`/held/d/${lost}/`)) throw new LakewardError('key-missing', 'the key is gone');
      return read(path, options);
    };
    await world.clock.advance(16 * MINUTE_MS);
    await inTime(
      world.clock,
      scheduler.trigger('delivery maintenance d').catch(() => undefined),
    );
    expect([await world.landed(), await hidden()]).toEqual([['a', 'b', 'late 3'], 2]);
  });

  test('shows what it held when it is deleted while no process lands', async () => {
    const lands = await open();
    await lands.create(lands.parse({ ...SPEC, ...LATE }));
    await landLate();
    await inTime(world.clock, lands.close());
    const stage = await open({ delivers: false });
    await inTime(world.clock, stage.remove('d'));
    expect([(await world.landed()).length, await hidden()]).toEqual([4, 0]);
  });

  test('shows what it held when its stream is deleted, then the delivery', async () => {
    const scheduler = triggeredScheduler();
    const stage = await open({ scheduler });
    await stage.create(stage.parse({ ...SPEC, ...LATE }));
    await landLate();
    await dropStream();
    await world.clock.advance(5000);
    await inTime(world.clock, stage.remove('d'));
    expect([(await world.landed()).length, await hidden()]).toEqual([4, 0]);
  });

  test('shows what it held when its stream is deleted and it stays', async () => {
    const scheduler = triggeredScheduler();
    const stage = await open({ scheduler });
    await stage.create(stage.parse({ ...SPEC, ...LATE }));
    await landLate();
    await dropStream();
    await world.clock.advance(20 * MINUTE_MS);
    expect((await stage.status('d'))[0]?.state).toBe('suspended');
    await inTime(world.clock, scheduler.trigger('delivery maintenance d'));
    expect([(await world.landed()).length, await hidden()]).toEqual([4, 0]);
  });
});

/** Who is told of hours that are complete or reopened, while landings go on, receivers go away, and processes die or sleep. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeliveryStage } from '../../src/delivery/deliveries.ts';
import { lakePath } from '../../src/model/lake-path.ts';
import { LakewardError } from '../../src/model/errors.ts';
import type { Notice, Notifier } from '../../src/ports/notifier.ts';
import type { World } from './stage-fixture.ts';
import { inTime, makeWorld, triggeredScheduler } from './stage-fixture.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Takes what it is told, or not. */
function receiver(): Notifier & { readonly got: Notice[]; away: boolean } {
  return {
    got: [],
    away: false,
    async send(_to, notices) {
      if (this.away) throw new LakewardError('notify-failed', 'nobody is there');
      this.got.push(...notices);
    },
  };
}

const told = ({ event, partition, rows, lateRows }: Notice): string =>
  `${event} ${partition.slice(-2)}: ${rows}${lateRows === undefined ? '' : `, ${lateRows} late`}`;

describe('a delivery that notifies', () => {
  let world: World;
  let scheduler: ReturnType<typeof triggeredScheduler>;
  let notifier: ReturnType<typeof receiver>;
  let stage: DeliveryStage;
  let dayMs: number;

  const spec = (notify: unknown = { url: 'http://127.0.0.1:1/hook' }): object => ({
    name: 'd',
    stream: 'events',
    layout: '{yyyy}/{MM}/{dd}/{HH}/',
    format: 'ndjson',
    eventTime: { field: 'at', form: 'ms' },
    allowedLateness: '0s',
    flush: { records: 1, age: '1m' },
    ...(notify === undefined ? {} : { notify }),
  });
  beforeEach(async () => {
    world = await makeWorld();
    await world.stream('events');
    scheduler = triggeredScheduler();
    notifier = receiver();
    stage = await world.stage({ scheduler, notifier });
    await stage.create(stage.parse(spec()));
    dayMs = Math.floor(world.clock.nowMs() / DAY_MS) * DAY_MS - DAY_MS;
  });
  afterEach(() => world.close());

  /** Lands a row of an hour of the day. */
  async function land(id: string, hour: number): Promise<void> {
    await world.put([id], { fields: { at: dayMs + hour * HOUR_MS } });
    await world.clock.advance(5000);
  }
  const turn = (): Promise<void> => inTime(world.clock, scheduler.trigger('delivery notices d'));
  const status = async () => (await stage.status('d'))[0]?.notices;
  const files = async (): Promise<string[]> =>
    (await world.lake.list('_lakeward/d/')).files.map(({ path }) => path).filter((path) => path.includes('/notices/'));

  test('tells each hour once when it is complete and whenever it is reopened, in order, through restarts', async () => {
    await land('a', 1);
    await land('b', 2);
    await land('late', 1);
    expect(await status()).toMatchObject({ pending: 2 });
    await turn();
    expect(notifier.got.map(told)).toEqual(['complete 01: 1', 'reopened 01: 2, 1 late']);
    expect(await status()).toEqual({ pending: 0 });
    await turn();
    const again = triggeredScheduler();
    const other = await world.stage({ scheduler: again, notifier });
    await inTime(world.clock, again.trigger('delivery notices d'));
    expect(notifier.got).toHaveLength(2);
    await land('c', 4);
    await turn();
    await inTime(world.clock, again.trigger('delivery notices d'));
    expect(notifier.got.map(told).slice(2)).toEqual(['complete 02: 1']);
    expect(new Set(notifier.got.map(({ id }) => id)).size).toBe(3);
    expect(notifier.got[0]).toMatchObject({ delivery: 'd', stream: 'events', entry: 2 });
    expect(await files()).toHaveLength(1);
    await other.close();
  });

  test('lands while its receiver is away, says so, and tells everything when it is back', async () => {
    notifier.away = true;
    for (let hour = 1; hour <= 6; hour++) {
      await land(`row ${hour}`, hour);
      await turn();
    }
    expect(await world.landed('d')).toHaveLength(6);
    const waiting = await status();
    expect(waiting).toMatchObject({ pending: 5, trouble: { code: 'notify-failed', message: 'nobody is there' } });
    notifier.away = false;
    await world.clock.advance(HOUR_MS / 6);
    await turn();
    expect(notifier.got.map(told)).toEqual([1, 2, 3, 4, 5].map((hour) => `complete 0${hour}: 1`));
    expect(await status()).toEqual({ pending: 0 });
  });

  test('tells an event again under its id when it does not know whether it was taken', async () => {
    await land('a', 1);
    await land('b', 2);
    const { overwrite } = world.lake;
    world.lake.overwrite = async () => Promise.reject(new LakewardError('lake-unavailable', 'cut'));
    await expect(turn()).rejects.toMatchObject({ code: 'lake-unavailable' });
    world.lake.overwrite = overwrite;
    await turn();
    expect(notifier.got.map(told)).toEqual(['complete 01: 1', 'complete 01: 1']);
    expect(new Set(notifier.got.map(({ id }) => id)).size).toBe(1);
  });

  test('does not tell what a process that slept writes down once more', async () => {
    for (const hour of [1, 2, 3]) await land(`row ${hour}`, hour);
    const [first = ''] = await files();
    const bytes = await world.lake.read(lakePath(first));
    await turn();
    await turn();
    expect(notifier.got).toHaveLength(2);
    expect(await files()).not.toContain(first);
    await world.lake.create(lakePath(first), bytes ?? new Uint8Array());
    await turn();
    expect(notifier.got).toHaveLength(2);
    expect(await files()).toHaveLength(1);
  });

  test('drops what nobody took for a week, and everything when nobody is to be told any more', async () => {
    notifier.away = true;
    await land('a', 1);
    await land('b', 2);
    world.clock.setNowMs(world.clock.nowMs() + 8 * DAY_MS);
    await land('c', 3);
    notifier.away = false;
    await turn();
    expect(notifier.got.map(told)).toEqual(['complete 02: 1']);
    await land('d', 5);
    expect(await status()).toMatchObject({ pending: 1 });
    await stage.update(stage.parse(spec('none')));
    expect(await status()).toBeUndefined();
    await turn();
    expect(notifier.got).toHaveLength(1);
    await inTime(world.clock, scheduler.trigger('delivery maintenance d'));
    expect(await files()).toEqual([]);
  });

  test('is refused with an address that is none, with its own stream, and with a stream that is not there', async () => {
    for (const notify of [
      { url: 'ftp://example.org/' },
      { url: 'http://user:secret@example.org/' },
      { stream: 'events' },
      { url: 'http://example.org/', stream: 'hours' },
      {},
    ]) {
      expect(() => stage.parse(spec(notify))).toThrow(expect.objectContaining({ code: 'argument-invalid' }) as Error);
    }
    expect(() => stage.parse({ ...spec(), layout: 'kind={kind}/' })).toThrow('begins with {yyyy}');
    const absent = stage.parse({ ...spec({ stream: 'hours' }), name: 'e' });
    await expect(stage.create(absent)).rejects.toMatchObject({ code: 'stream-not-found' });
    await world.stream('hours');
    expect((await stage.create(absent)).spec.notify).toEqual({ stream: 'hours' });
    expect(stage.parse(absent)).toEqual(absent);
  });
});

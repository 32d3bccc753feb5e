import { expect, test } from 'vitest';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { intervalScheduler } from '../../src/schedule/interval/interval-scheduler.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';
import { schedulerSuite } from '../conformance/scheduler.suite.ts';

schedulerSuite('one in a process', { exact: true, cadenceMs: 1_000 }, async () => {
  const clock = manualClock();
  const scheduler = intervalScheduler({ clock, telemetry: silentTelemetry() });
  return { scheduler, nowMs: () => clock.nowMs(), pass: (ms) => clock.advance(ms) };
});

test('a run is counted by how it ends, timed, and logged when it fails', async () => {
  const clock = manualClock();
  const lines: string[] = [];
  const telemetry = createTelemetry({ level: 'info', destination: { write: (line) => void lines.push(line) } });
  const scheduler = intervalScheduler({ clock, telemetry });
  let runs = 0;
  scheduler.add({
    name: 'sweep',
    everyMs: 10_000,
    jitter: 0,
    async run(signal) {
      runs += 1;
      if (runs === 2) throw new Error('no luck');
      await clock.sleep(runs === 3 ? 60_000 : 500, signal);
    },
  });
  await clock.advance(31_000);
  await scheduler.close();
  const text = await telemetry.exposition();
  for (const outcome of ['done', 'failed', 'aborted']) {
    expect(text).toContain(`lakeward_schedule_runs_total{job="sweep",outcome="${outcome}"} 1`);
  }
  expect(text).toContain('lakeward_schedule_run_seconds_count{job="sweep"} 3');
  expect(text).toContain('lakeward_schedule_run_seconds_bucket{le="1",job="sweep"} 3');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { level: 'error', message: 'scheduled job failed', job: 'sweep', error: { message: 'no luck' } },
  ]);
});

/**
 * A process with one scheduler on Redis and one job, for tests that kill, freeze and end it: `job-process.ts <url> <prefix> <lockMs>`. It says
 * `ready`, `running`, `stopped`, `closed` on stdout. The job runs until it is stopped. SIGTERM closes the scheduler; then the process ends only when
 * nothing is left that keeps it.
 */
import { systemClock } from '../../src/clock/system-clock.ts';
import { bullmqScheduler } from '../../src/schedule/bullmq/bullmq-scheduler.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';

const [, , url = '', prefix = '', lockMs = ''] = process.argv;
const clock = systemClock();
const say = (word: string): boolean => process.stdout.write(`${word}\n`);

const tuning = { lockMs: Number(lockMs), putInEveryMs: 300 };
const telemetry = silentTelemetry();
const scheduler = await bullmqScheduler({ url, prefix, queue: 'q', clock, telemetry, tuning });
scheduler.add({
  name: 'job',
  everyMs: 100,
  jitter: 0,
  run(signal) {
    say('running');
    return new Promise((_, reject) =>
      signal.addEventListener('abort', () => {
        say('stopped');
        reject(signal.reason);
      }),
    );
  },
});
process.once('SIGTERM', () => void scheduler.close().then(() => say('closed')));
say('ready');

/**
 * Live measurements of this host as an IoT source: one device for each processor (a few of them), one for memory, one for the load.
 */
import { cpus, freemem, loadavg, totalmem } from 'node:os';

export interface Measurement {
  readonly device_id: string;
  readonly measured_at: number;
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
}

const PROCESSORS_MAX = 4;

/** A source of measurements; each call gives one of every device. */
export function hostMetrics(): (nowMs: number) => Measurement[] {
  let before = processorTimes();
  return (nowMs) => {
    const now = processorTimes();
    const busy = now.map((times, index) => {
      const busyMs = times.busyMs - (before[index]?.busyMs ?? 0);
      const allMs = times.allMs - (before[index]?.allMs ?? 0);
      return allMs <= 0 ? 0 : Math.round((1000 * busyMs) / allMs) / 10;
    });
    before = now;
    const one = (device: string, metric: string, value: number, unit: string): Measurement => ({
      device_id: device,
      measured_at: nowMs,
      metric,
      value,
      unit,
    });
    return [
      ...busy.map((percent, index) => one(`cpu-${index}`, 'busy', percent, 'percent')),
      one('memory', 'used', totalmem() - freemem(), 'bytes'),
      one('load', 'one_minute', loadavg()[0] ?? 0, 'processes'),
    ];
  };
}

function processorTimes(): { busyMs: number; allMs: number }[] {
  return cpus()
    .slice(0, PROCESSORS_MAX)
    .map(({ times }) => {
      const allMs = times.user + times.nice + times.sys + times.idle + times.irq;
      return { busyMs: allMs - times.idle, allMs };
    });
}

/**
 * A test aid: at the step of landing that `LAKEWARD_CRASH_AT` names (`staged`, or `staged:3` for the third time it is reached), the
 * process kills itself without any goodbye. Upkeep of the landing logs is hurried then, so that its steps come within seconds, too.
 * Never set by an operator.
 */
import type { DeliveryRoom } from '../delivery/room.ts';

const HURRIED = {
  everyMs: 400,
  tuning: { checkpointEntries: 4, emptyAfterMs: 5000, sweepAfterMs: 1500, sweepEveryMs: 0, copyMaxMs: 6000 },
} as const;
/** For the steps that wait for it. Others that read the log, such as a compaction, meet lists that are gone when it is always so short. */
const EMPTY_SOON = { ...HURRIED, tuning: { ...HURRIED.tuning, emptyAfterMs: 800 } };

/** `of`: whose steps, when they are told from those of a landing by a name before them, `<of>-staged`. */
export function crashStep(crashAt: string | undefined, of?: string): Pick<DeliveryRoom, 'step' | 'upkeep'> {
  if (crashAt === undefined) return {};
  const [wanted = '', times] = crashAt.split(':');
  const step = of === undefined || !wanted.startsWith(`${of}-`) ? wanted : wanted.slice(of.length + 1);
  const counts = of === undefined || step !== wanted;
  let left = Number(times ?? 1);
  return {
    step(name) {
      if (counts && name === step && --left <= 0) process.kill(process.pid, 'SIGKILL');
    },
    upkeep: step === 'emptied' || step === 'keys-dropped' ? EMPTY_SOON : HURRIED,
  };
}

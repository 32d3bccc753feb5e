/**
 * A test aid: at the step of landing that `LAKEWARD_CRASH_AT` names (`staged`, or `staged:3` for the third time it is reached), the
 * process kills itself without any goodbye. Never set by an operator.
 */
export function crashStep(crashAt: string | undefined): { readonly step?: (name: string) => void } {
  if (crashAt === undefined) return {};
  const [step, times] = crashAt.split(':');
  let left = Number(times ?? 1);
  return {
    step(name) {
      if (name === step && --left <= 0) process.kill(process.pid, 'SIGKILL');
    },
  };
}

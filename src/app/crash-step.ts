/**
 * A test aid: at the step of landing that `LAKEWARD_CRASH_AT` names, the process kills itself without any goodbye, as a power cut would. Never
 * set by an operator.
 */
export function crashStep(crashAt: string | undefined): { readonly step?: (name: string) => void } {
  if (crashAt === undefined) return {};
  return {
    step(name) {
      if (name === crashAt) process.kill(process.pid, 'SIGKILL');
    },
  };
}

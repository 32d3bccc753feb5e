/** Begins a run over a delivery's files and looks at it until it is done. */
import type { CareReport, CareRun } from '../../app/control-answers.ts';
import { ERRORS, type ErrorCode, LakewardError } from '../../model/errors.ts';
import type { Invocation } from '../command.ts';
import { deliveryPath } from '../delivery/status-text.ts';

const LOOK_MS = 200;
/** Of a bar. */
const WHOLE = 1000;

/** The report; throws what the run failed with. */
export async function careRun<K extends CareReport['kind']>(
  call: Invocation,
  delivery: string,
  order: { readonly kind: K } & Readonly<Record<string, unknown>>,
): Promise<CareReport & { readonly kind: K }> {
  const { terminal, signal, clock } = call;
  const client = call.client();
  const path = `${deliveryPath(delivery)}/care`;
  const begun = await client.send<CareRun>('POST', path, order, signal);
  let run = begun;
  const progress = terminal.progress(`${order.kind} ${delivery}`, WHOLE);
  try {
    while (run.running !== undefined) {
      const { share, text } = run.running;
      progress.set(Math.floor(share * WHOLE), { part: share, note: text });
      await clock.sleep(LOOK_MS, signal);
      run = await client.get<CareRun>(path, signal);
      if (run.id !== begun.id) throw new LakewardError('internal', 'the server was asked for something else meanwhile');
    }
  } finally {
    progress.end();
  }
  const { report, error } = run;
  if (report?.kind === order.kind) return report as CareReport & { readonly kind: K };
  const code = error !== undefined && error.code in ERRORS ? (error.code as ErrorCode) : 'internal';
  throw new LakewardError(code, error?.message ?? 'the run ended without a report');
}

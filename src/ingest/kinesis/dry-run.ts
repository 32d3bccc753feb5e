/** `DryRun`: a request that only asks whether it would be accepted. */
import { WireError } from './wire-error.ts';

/** Called when everything has been checked; throws the answer to a dry run. */
export function refuseDryRun({ DryRun }: { readonly DryRun?: boolean | null }): void {
  if (DryRun !== true) return;
  throw new WireError('DryRunOperationException', 'The request would have succeeded; DryRun is set.');
}

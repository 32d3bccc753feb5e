/**
 * Judges what a stranger found in a lake against what producers know. An event was sent so many times and acknowledged so many of them:
 * a delivery that drops duplicates has it exactly once when it was acknowledged; one that does not has it at least as often as it was
 * acknowledged and at most as often as it was sent. What nobody sent is nowhere.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE } from '../../infra/dev/s3-install.ts';

/** By event id. Broken events are rejected rows, which are not compared with others. */
export interface ClusterLedger {
  readonly events: Map<string, { sent: number; acknowledged: number; readonly isBroken: boolean }>;
  acknowledgements: number;
}

export interface BucketView {
  readonly endpoint: string;
  readonly key: string;
  readonly secret: string;
  readonly bucket: string;
}

export interface LakeIds {
  readonly files: number;
  readonly rows: number;
  readonly rejected: number;
  readonly ids: Readonly<Record<string, number>>;
}

export interface Verdict {
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly unknown: readonly string[];
}

/** The Python with pyarrow, and what is missing when there is none. */
export function lakeReader(): { readonly python: string; readonly lack?: string } {
  const python = process.env['LAKEWARD_PYTHON'] ?? join(CACHE, 'venv', 'bin', 'python');
  return existsSync(python) ? { python } : { python, lack: 'needs LAKEWARD_PYTHON, a Python that has pyarrow' };
}

/** What LIST and pyarrow find below a delivery's prefix, and in its rejected rows. */
export function readLake(view: BucketView, prefix: string): Promise<LakeIds> {
  return new Promise((resolve, reject) => {
    const script = join(import.meta.dirname, 'lake_ids.py');
    const child = execFile(lakeReader().python, [script], { maxBuffer: 2 ** 30 }, (error, stdout) => {
      if (error === null) resolve(JSON.parse(stdout) as LakeIds);
      else reject(error);
    });
    child.stdin?.end(JSON.stringify({ ...view, prefix }));
  });
}

export function judge(
  { ids }: LakeIds,
  { events }: Pick<ClusterLedger, 'events'>,
  { dedupe }: { readonly dedupe: boolean },
): Verdict {
  const lost: string[] = [];
  const doubled: string[] = [];
  for (const [id, { sent, acknowledged, isBroken }] of events) {
    const isOnce = dedupe && !isBroken;
    const seen = ids[id] ?? 0;
    if (seen < (isOnce ? Math.min(acknowledged, 1) : acknowledged)) lost.push(id);
    if (seen > (isOnce ? 1 : sent)) doubled.push(id);
  }
  return { lost, doubled, unknown: Object.keys(ids).filter((id) => !events.has(id)) };
}

/** As a sentence, or undefined when the promise was kept. */
export function complaintOf(verdict: Verdict): string | undefined {
  const bad = (['lost', 'doubled', 'unknown'] as const).filter((kind) => verdict[kind].length > 0);
  return bad.length === 0
    ? undefined
    : bad.map((kind) => `${verdict[kind].length} ${kind}: ${verdict[kind].slice(0, 8).join(', ')}`).join('; ');
}

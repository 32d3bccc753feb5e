/**
 * `npm run bench:readers [merges] [files]`: how long those who list folders can see rows twice while files are merged: from the moment the merged file
 * may be visible until the last of the files it replaces is gone, over 100 merges of 20 small files each, in a lake folder and on versitygw where it
 * is installed. Meanwhile a reader lists and reads the partition without a pause: a row that it misses without an error ends the run.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/clock/system-clock.ts';
import { nameBehind } from '../../src/delivery/file-name.ts';
import { openFileStore } from '../../src/lake/file/file-store.ts';
import { connectS3 } from '../../src/lake/s3/s3-client.ts';
import { createS3Store } from '../../src/lake/s3/s3-store.ts';
import { type AppendDraft, type LandingLog, openLandingLog } from '../../src/landing/landing-log.ts';
import type { DataFile } from '../../src/model/data-file.ts';
import { asOffset, asShard } from '../../src/model/stream.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { logOptions } from '../landing/log-options.ts';
import { percentile, report, round } from './report.ts';
import { lakeOnS3 } from './s3-lake.ts';

const MERGES = Number(process.argv[2] ?? 100);
const FILES = Number(process.argv[3] ?? 20);
const folder = mkdtempSync(join(tmpdir(), 'lakeward-bench-readers-'));
const clock = systemClock();
const PARTITION = 'd/hour=1/';
let offset = 0;
/** Rows that are visible for sure. */
let landed = 0;

type Draft = AppendDraft['files'][number];

/** One file with these rows, a line each. */
async function fileOf(log: LandingLog, name: string, nonce: string, ids: readonly number[]): Promise<Draft> {
  const local = join(folder, name);
  writeFileSync(local, ids.map((id) => `${id}\n`).join(''));
  const handle = await log.stage(nonce, { local, name, directory: PARTITION.slice(0, -1) });
  const facts = { partition: 'hour=1', rows: ids.length, bytes: handle.bytes, planVersion: 1, columns: [], handle };
  return { ...facts, eventMinMs: 0, eventMaxMs: 1, closedBecause: 'age' };
}

async function land(log: LandingLog): Promise<void> {
  const nonce = log.nonce();
  const from = offset;
  offset += FILES;
  const files = await Promise.all(
    Array.from({ length: FILES }, (_, n) => {
      const name = `d-${new Date(from).toISOString().replaceAll(/[-:.]/g, '')}-${nonce.replaceAll('-', '')}-${n}.ndjson`;
      return fileOf(log, name, nonce, [from + n]);
    }),
  );
  const ranges = new Map([[asShard(0), { from: asOffset(from), to: asOffset(offset) }]]);
  await log.commit({ nonce, ranges, planVersion: 1, files, rejected: [], extraRows: 0, lateRows: 0 });
  landed = offset;
}

/** All files of the partition become one. */
async function merge(log: LandingLog): Promise<void> {
  const files: DataFile[] = [];
  await log.eachFile(({ file }) => files.push(file));
  const nonce = log.nonce();
  const name = nameBehind(
    files.map(({ path }) => path),
    { delivery: 'd', nonce },
    'ndjson',
  );
  const made = await fileOf(
    log,
    name,
    nonce,
    Array.from({ length: offset }, (_, id) => id),
  );
  const digest = { rows: offset, checksum: '0' };
  const outcome = await log.commitMerge({ nonce, removed: files, files: [made], before: digest, after: digest });
  if (outcome !== 'committed') throw new Error('a merge alone was superseded');
}

/** A list and the rows of its files; undefined when one of them was gone. */
async function look(store: LakeStore): Promise<number[] | undefined> {
  const { files } = await store.list(PARTITION);
  const texts = await Promise.all(files.map(({ path }) => store.read(path)));
  if (texts.includes(undefined)) return undefined;
  return texts.flatMap((bytes) =>
    Buffer.from(bytes ?? [])
      .toString()
      .split('\n')
      .filter(Boolean)
      .map(Number),
  );
}

async function measure(near: LakeStore): Promise<Record<string, number>> {
  const spans: number[] = [];
  let visibleFrom = 0;
  const store: LakeStore = {
    ...near,
    publish(handle, call) {
      visibleFrom = performance.now();
      return near.publish(handle, call);
    },
    async remove(path, call) {
      await near.remove(path, call);
      if (path.startsWith(PARTITION)) spans[spans.length - 1] = performance.now() - visibleFrom;
    },
  };
  const log = await openLandingLog(await logOptions({ store, clock, tuning: { copyMaxMs: 0 } }));
  offset = landed = 0;
  const over = new AbortController();
  const looks = { whole: 0, twice: 0, gone: 0 };
  async function watch(): Promise<void> {
    while (!over.signal.aborted) {
      const before = landed;
      const ids = await look(near);
      if (ids === undefined) looks.gone++;
      else {
        const met = new Set(ids);
        looks[ids.length > met.size ? 'twice' : 'whole']++;
        for (let id = 0; id < before; id++) if (!met.has(id)) throw new Error(`a reader missed row ${id} of ${before}`);
      }
      await clock.sleep(1);
    }
  }
  async function work(): Promise<void> {
    for (let i = 0; i < MERGES; i++) {
      await land(log);
      await log.maintain();
      spans.push(0);
      await merge(log);
    }
  }
  const worked = work().finally(() => over.abort());
  const watched = watch();
  await Promise.allSettled([worked, watched]);
  await Promise.all([worked, watched]);
  spans.sort((a, b) => a - b);
  return {
    'p50 ms': round(percentile(spans, 0.5)),
    'p99 ms': round(percentile(spans, 0.99)),
    'longest ms': round(spans.at(-1) ?? 0),
    'looks whole': looks.whole,
    'with rows twice': looks.twice,
    'with a file gone': looks.gone,
    'rows missed': 0,
  };
}

try {
  const figures: Record<string, Record<string, number>> = {
    folder: await measure(await openFileStore({ folder: join(folder, 'lake'), clock })),
  };
  const s3 = await lakeOnS3(folder);
  if (typeof s3 === 'string') console.log(`versitygw is skipped: ${s3}`);
  else {
    const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = s3.env;
    const credentials = { accessKeyId, secretAccessKey };
    const connection = connectS3({ endpoint: s3.endpoint, pathStyle: true, region: 'us-east-1', credentials });
    figures['versitygw'] = await measure(createS3Store({ connection, bucket: 'lake', clock }));
    connection.client.destroy();
    await s3.stop();
  }
  report('readers', figures, []);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

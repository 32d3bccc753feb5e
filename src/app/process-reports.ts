/**
 * Reports of processes that share a lake, in `_lakeward/processes/<id>.json` there: each writes its own over and over, removes it when it
 * stops in order, and one that was not written for a day is removed by anybody. UTF-8 JSON, `{"v":1, ...ProcessReport}`. Times between
 * processes are compared by the store's own clock, so that machines whose clocks differ do not look dead to each other.
 */
import { isLakewardError } from '../model/errors.ts';
import { type LakePath, lakePath, SYSTEM_FOLDER } from '../model/lake-path.ts';
import type { Clock } from '../ports/clock.ts';
import type { LakeStore, ListedFile, ListPage } from '../ports/lake-store.ts';
import type { KnownProcess, ProcessReport } from '../ports/processes.ts';
import type { Log } from '../ports/telemetry.ts';

const FOLDER = `${SYSTEM_FOLDER}/processes/`;
/** Nothing deeper: a delivery may be named `processes`, and its landing log lies there. */
const REPORT_PATH = new RegExp(`^${FOLDER}[^/]+\\.json$`);
const VERSION = 1;
/** How often a process reports; on S3 each costs one PUT. */
const REPORT_EVERY_MS = 10_000;
/** A process that has not reported for this long counts as silent. */
const SILENT_AFTER_MS = 3 * REPORT_EVERY_MS;
const FORGOTTEN_AFTER_MS = 86_400_000;
/** Reports between two looks for forgotten ones: an hour. */
const SWEEP_EVERY = 360;
/** Answers to readers that come one after the other are shared for this long. */
const LIST_FRESH_MS = 2_000;
/** Reports read for one answer: the newest, should a fleet leave more behind. */
const PROCESSES_MAX = 500;
/** Deliveries in one report, those in trouble and those with most waiting first; and characters of what a trouble says. */
const DELIVERIES_MAX = 1_000;
const MESSAGE_CHARS_MAX = 500;
/** How long the end of a process waits for its report to be removed. */
const REMOVE_MS = 2_000;

export interface ProcessReports {
  /** Reports from now on. */
  start(report: () => Promise<ProcessReport>): void;
  /** All that are known, this one first. Without the lake, this one alone. */
  list(): Promise<readonly KnownProcess[]>;
  /** Ends reporting and removes the report. */
  close(): Promise<void>;
}

export interface ReportsRoom {
  readonly store: LakeStore;
  readonly clock: Clock;
  readonly log: Log;
}

export function processReports({ store, clock, log }: ReportsRoom): ProcessReports {
  const closing = new AbortController();
  const { signal } = closing;
  let make: (() => Promise<ProcessReport>) | undefined;
  let own: LakePath | undefined;
  let reporting: Promise<void> = Promise.resolve();
  let listed: { readonly atMs: number; readonly others: Promise<readonly KnownProcess[]> } | undefined;

  async function write(report: ProcessReport): Promise<void> {
    own = lakePath(`${FOLDER}${report.id}.json`);
    await store.overwrite(own, encode(report), { signal });
  }

  async function everyReport(): Promise<void> {
    for (let turn = 0; !signal.aborted; turn += 1) {
      try {
        if (make !== undefined) await write(await make());
        if (turn % SWEEP_EVERY === 0) await sweep();
      } catch (error) {
        if (signal.aborted) return;
        // The lake is away: deliveries say so. Others see this process as silent.
        log.debug('the report of this process could not be written', { error });
      }
      await clock.sleep(REPORT_EVERY_MS, signal).catch(() => undefined);
    }
  }

  async function sweep(): Promise<void> {
    const files = await listAll(store);
    const nowMs = storeNowMs(files);
    for (const { path, modifiedMs } of files) {
      if (path !== own && modifiedMs < nowMs - FORGOTTEN_AFTER_MS) await store.remove(path, { signal });
    }
  }

  /** The store's time is not known to us but by what it wrote last: our own report is at most one turn old. */
  function storeNowMs(files: readonly ListedFile[]): number {
    return Math.max(...files.map(({ modifiedMs }) => modifiedMs));
  }

  async function readOthers(id: string | undefined): Promise<readonly KnownProcess[]> {
    const files = await listAll(store);
    const nowMs = storeNowMs(files);
    const newest = files.toSorted((a, b) => b.modifiedMs - a.modifiedMs).slice(0, PROCESSES_MAX);
    const known = await Promise.all(
      newest.map(async ({ path, modifiedMs }) => {
        const report = decode(await store.read(path));
        if (report === undefined || report.id === id) return [];
        const heardAgoMs = Math.max(0, nowMs - modifiedMs);
        return [{ ...report, heardAgoMs, silent: heardAgoMs > SILENT_AFTER_MS }];
      }),
    );
    return known.flat().toSorted((a, b) => a.startedMs - b.startedMs);
  }

  async function others(id: string | undefined): Promise<readonly KnownProcess[]> {
    const nowMs = clock.monotonicMs();
    if (listed === undefined || nowMs - listed.atMs > LIST_FRESH_MS) listed = { atMs: nowMs, others: readOthers(id) };
    try {
      return await listed.others;
    } catch (error) {
      if (!isLakewardError(error)) throw error;
      log.debug('reports of other processes cannot be read', { error });
      return [];
    }
  }

  return {
    start(report) {
      make = report;
      reporting = everyReport();
    },
    async list() {
      const mine = await make?.();
      const rest = await others(mine?.id);
      return mine === undefined ? rest : [{ ...bounded(mine), heardAgoMs: 0, silent: false }, ...rest];
    },
    async close() {
      closing.abort();
      await reporting;
      if (own === undefined) return;
      const timer = new AbortController();
      const late = clock.sleep(REMOVE_MS, timer.signal).catch(() => undefined);
      // One that stays is silent, and swept a day later.
      await Promise.race([store.remove(own, { signal: timer.signal }).catch(() => undefined), late]);
      timer.abort();
    },
  };
}

async function listAll(store: LakeStore): Promise<readonly ListedFile[]> {
  const files: ListedFile[] = [];
  let page: ListPage | undefined;
  do {
    page = await store.list(FOLDER, page?.next === undefined ? {} : { after: page.next });
    files.push(...page.files.filter(({ path }) => REPORT_PATH.test(path)));
  } while (page.next !== undefined);
  return files;
}

function bounded(report: ProcessReport): ProcessReport {
  const byNeed = report.deliveries.toSorted(
    (a, b) => Number(b.trouble !== undefined) - Number(a.trouble !== undefined) || b.records - a.records,
  );
  const kept = byNeed.slice(0, DELIVERIES_MAX).map((share) => {
    const { trouble } = share;
    if (trouble === undefined) return share;
    return { ...share, trouble: { ...trouble, message: trouble.message.slice(0, MESSAGE_CHARS_MAX) } };
  });
  return { ...report, deliveries: kept.toSorted((a, b) => (a.delivery < b.delivery ? -1 : 1)) };
}

function encode(report: ProcessReport): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify({ v: VERSION, ...bounded(report) })}\n`);
}

/** Undefined for one that is gone, damaged, or of a version to come: it tells, it decides nothing. */
function decode(bytes: Uint8Array | undefined): ProcessReport | undefined {
  if (bytes === undefined) return undefined;
  try {
    const { v, ...report } = JSON.parse(new TextDecoder().decode(bytes)) as ProcessReport & { v: number };
    const whole = v === VERSION && typeof report.id === 'string' && Array.isArray(report.deliveries);
    return whole && Array.isArray(report.roles) ? report : undefined;
  } catch {
    return undefined;
  }
}

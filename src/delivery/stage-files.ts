/**
 * Takes the files of one conversion into the lake as stages under one nonce, named and described as the entry will hold them. When one
 * cannot be staged, those that were are dropped: no entry will ever name them.
 */
import { inParallel } from '../landing/bounded-parallel.ts';
import type { DraftFile, DraftRejected } from '../landing/draft.ts';
import type { LandingLog } from '../landing/landing-log.ts';
import type { DeliverySpec, FlushReason } from '../model/delivery.ts';
import { compileLayout } from '../partition/layout.ts';
import type { ConvertResult } from '../ports/converter.ts';
import type { LakeStore, StageHandle } from '../ports/lake-store.ts';
import { dataFileName, extensionOf, rejectedFileName, rejectedFolder } from './file-name.ts';
import { encryptedExtension, hiddenObjectOf, objectOf, shownFacts } from './object-settings.ts';
import { closingUnit, unitEndMs } from './watermark.ts';

export interface StageOrder {
  readonly lake: LakeStore;
  readonly log: LandingLog;
  readonly spec: DeliverySpec;
  readonly nonce: string;
  readonly firstArrivalMs: number;
  readonly planVersion: number;
  readonly reason: FlushReason;
  readonly signal: AbortSignal;
  /** Files of partitions that end at that time or before are held. */
  readonly heldThroughMs?: number | undefined;
  /** Part of the name of the file of rejected rows. */
  readonly mark?: string;
}

/** A local file of rejected rows. */
export type FileOfRejects = Pick<NonNullable<ConvertResult['rejected']>, 'local' | 'rows' | 'bytes' | 'reasons'>;

export async function stageFiles(
  order: StageOrder,
  converted: Pick<ConvertResult, 'files'> & { readonly rejected: FileOfRejects | undefined },
): Promise<{ readonly files: readonly DraftFile[]; readonly rejected: readonly DraftRejected[] }> {
  const { log, spec, nonce, firstArrivalMs, planVersion, reason, signal } = order;
  const { heldThroughMs = Number.NEGATIVE_INFINITY } = order;
  const parts = { delivery: spec.name, firstArrivalMs, nonce };
  const closes = closingUnit(compileLayout(spec.layout).units);
  const extension = `${extensionOf(spec.format, spec.compression)}${encryptedExtension(spec)}`;
  const staged: StageHandle[] = [];
  async function stage(file: Parameters<LandingLog['stage']>[1]): Promise<StageHandle> {
    const handle = await log.stage(nonce, file, { signal });
    staged.push(handle);
    return handle;
  }
  try {
    const files = await inParallel(converted.files, async ({ local, ...file }, n) => {
      const closing = closes === undefined ? {} : { closesAtMs: unitEndMs(file.eventMinMs, closes) };
      const isHeld = (closing.closesAtMs ?? Infinity) <= heldThroughMs;
      const folder = file.partition === '' ? spec.prefix : `${spec.prefix}/${file.partition}`;
      const directory = isHeld ? `${log.heldFolder}${folder}` : folder;
      const facts = { kind: 'data', partition: file.partition, planVersion, rows: file.rows } as const;
      const { object } = isHeld ? hiddenObjectOf(spec) : objectOf(spec, facts);
      const handle = await stage({ local, name: dataFileName(parts, n, extension), directory, object });
      return { ...shownFacts(spec, file), ...closing, handle, planVersion, closedBecause: reason };
    });
    const rejected = await inParallel(converted.rejected === undefined ? [] : [converted.rejected], async (file) => {
      const { local, rows, bytes, reasons } = file;
      const directory = rejectedFolder(spec.name, firstArrivalMs);
      const name = `${rejectedFileName(parts, order.mark)}${encryptedExtension(spec)}`;
      const { object } = objectOf(spec, { kind: 'rejected', partition: '', planVersion, rows });
      return { rows, bytes, reasons, handle: await stage({ local, name, directory, object }) };
    });
    return { files, rejected };
  } catch (error) {
    // What cannot be dropped now is swept later.
    await inParallel(staged, (handle) => order.lake.discard(handle, { signal })).catch(() => undefined);
    throw error;
  }
}

/**
 * Committed files that the lake lost before they were published, made anew: the same ranges through the same plan give the same rows. A
 * file is taken for the lost one when its partition has the same number of rows; where that does not come out, because the layout
 * changed since or only some of a partition's files are lost, the loss is reported and an operator decides.
 */
import { isHeld } from '../landing/paths.ts';
import type { LostFiles, Rebuild } from '../landing/repair.ts';
import type { DeliverySpec } from '../model/delivery.ts';
import { LakewardError } from '../model/errors.ts';
import type { StreamDocument } from '../model/stream.ts';
import { compileLayout } from '../partition/layout.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { ConvertedFile, ConvertResult } from '../ports/converter.ts';
import { convertJob } from './convert-job.ts';
import { dataFileName, extensionOf, rejectedFileName, rejectedFolder } from './file-name.ts';
import type { IdMemory } from './id-memory.ts';
import { encryptedExtension, hiddenObjectOf, objectOf, shownFacts } from './object-settings.ts';
import { planOfVersion } from './plan-keeper.ts';
import type { RangeReader } from './range-reader.ts';
import { rangeReader } from './range-reader.ts';
import type { DeliveryRoom } from './room.ts';
import { closingUnit, unitEndMs } from './watermark.ts';

export interface RebuildPlace {
  readonly room: DeliveryRoom;
  readonly spec: DeliverySpec;
  readonly stream: StreamDocument;
  readonly ids: IdMemory;
}

type Rebuilt = Exclude<Awaited<ReturnType<Rebuild>>, 'gone'>;

/** `gone` when retention has taken some of the records. Throws `stage-lost` when the rows do not come out as they were. */
export async function rebuildLost(place: RebuildPlace, lost: LostFiles, call?: CallOptions): Promise<Rebuilt | 'gone'> {
  const { room, spec, stream, ids } = place;
  const plan = planOfVersion(room.catalog.read(), spec.name, lost.planVersion);
  if (plan === undefined) throw mismatch(spec, `plan ${lost.planVersion} is not known any more`);
  const signal = call?.signal ?? new AbortController().signal;
  const reader = rangeReader({
    broker: room.broker,
    stream: stream.id,
    from: new Map([...lost.ranges].map(([shard, { from }]) => [shard, from])),
    ends: new Map([...lost.ranges].map(([shard, { to }]) => [shard, to])),
    bytesMax: Number.POSITIVE_INFINITY,
    signal,
  });
  if ((await reader.first()).length === 0) return 'gone';
  const directory = await room.scratch.make();
  try {
    const { dedupe } = lost;
    // The same rows only when they are compared with the same ids.
    const keys = dedupe && { dedupe: await ids.job(dedupe.rule, dedupe.files, (file) => lost.keys(file), call) };
    const job = { ...convertJob(spec, plan, directory), ...keys };
    const converted = await room.converter.convert(job, reader.batches, { signal });
    return await stageRebuilt(place, lost, { converted, reader });
  } finally {
    await room.scratch.remove(directory);
  }
}

async function stageRebuilt(
  { room, spec }: RebuildPlace,
  lost: LostFiles,
  made: { readonly converted: ConvertResult; readonly reader: RangeReader },
): Promise<Rebuilt | 'gone'> {
  const range = made.reader.outcome();
  if (range.gaps.length > 0) return 'gone';
  const firstArrivalMs = range.firstArrivalMs ?? room.clock.nowMs();
  const parts = { delivery: spec.name, firstArrivalMs, nonce: lost.nonce };
  const closes = closingUnit(compileLayout(spec.layout).units);
  const files: Rebuilt['files'][number][] = [];
  for (const { local, ...file } of matching(spec, lost, made.converted)) {
    const path = lost.files.find(({ partition }) => partition === file.partition)?.path ?? '';
    const directory = path.slice(0, path.lastIndexOf('/'));
    const extension = `${extensionOf(spec.format, spec.compression)}${encryptedExtension(spec)}`;
    const name = dataFileName(parts, files.length, extension);
    const facts = { kind: 'data', partition: file.partition, planVersion: lost.planVersion, rows: file.rows } as const;
    const object = isHeld(path) ? hiddenObjectOf(spec) : objectOf(spec, facts);
    const handle = await lost.stage({ local, name, directory, ...object });
    const closing = closes === undefined ? {} : { closesAtMs: unitEndMs(file.eventMinMs, closes) };
    const closedBecause = lost.files[0]?.closedBecause ?? 'request';
    files.push({ ...shownFacts(spec, file), ...closing, handle, planVersion: lost.planVersion, closedBecause });
  }
  if (lost.rejected.length === 0) return { files, rejected: [] };
  const rejected = made.converted.rejected;
  if (rejected?.rows !== rowsOf(lost.rejected)) throw mismatch(spec, 'the rejected rows differ');
  const { local, rows, bytes, reasons } = rejected;
  const directory = rejectedFolder(spec.name, firstArrivalMs);
  const facts = { kind: 'rejected', partition: '', planVersion: lost.planVersion, rows } as const;
  const name = `${rejectedFileName(parts)}${encryptedExtension(spec)}`;
  const handle = await lost.stage({ local, name, directory, ...objectOf(spec, facts) });
  return { files, rejected: [{ rows, bytes, reasons, handle }] };
}

/** The converted files of the partitions that lost files. */
function matching(spec: DeliverySpec, lost: LostFiles, converted: ConvertResult): ConvertedFile[] {
  const partitions = new Set(lost.files.map((file) => file.partition));
  return [...partitions].flatMap((partition) => {
    const found = converted.files.filter((file) => file.partition === partition);
    const before = rowsOf(lost.files.filter((file) => file.partition === partition));
    if (rowsOf(found) !== before) throw mismatch(spec, `partition '${partition}' had ${before} rows`);
    return found;
  });
}

function rowsOf(files: readonly { readonly rows: number }[]): number {
  return files.reduce((sum, file) => sum + file.rows, 0);
}

function mismatch(spec: DeliverySpec, why: string): LakewardError {
  return new LakewardError('stage-lost', `files that '${spec.name}' lost cannot be rebuilt as they were: ${why}`);
}

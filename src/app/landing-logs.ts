/** Opens landing logs beside the deliveries' own, for those who take care of the files that landed. */
import { folderOf, hasLandingLogAt } from '../delivery/log-holder.ts';
import {
  type LandingLog,
  type LandingLogOptions,
  type LogReader,
  openLandingLog,
  readLandingLog,
} from '../landing/landing-log.ts';
import type { LandingTuning } from '../landing/room.ts';
import type { LandingStep } from '../landing/steps.ts';
import type { DeliverySpec } from '../model/delivery.ts';
import { LakewardError } from '../model/errors.ts';
import { type LakePath, lakePath, SYSTEM_FOLDER } from '../model/lake-path.ts';
import { asStreamId, type StreamDocument } from '../model/stream.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { LakeStore } from '../ports/lake-store.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import type { LateLake } from './late-lake.ts';

export interface LandingLogsRoom extends LateLake {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly writer: string;
  /** A lake in a folder renames files: no copy of one is ever under way. */
  readonly copies: boolean;
  readonly step?: (name: LandingStep) => Promise<void> | void;
  /** Another pace, for crash tests; as of the deliveries. */
  readonly upkeep?: { readonly tuning: Partial<LandingTuning> };
}

type LogStream = Pick<StreamDocument, 'name' | 'id'>;

/** The log of a delivery on a stream; undefined when nothing has landed. Throws as the log. */
export async function openLogOf(
  room: LandingLogsRoom,
  delivery: LogFolder,
  stream: LogStream,
  call?: CallOptions,
): Promise<LandingLog | undefined> {
  if (!(await hasLandingLogAt(room.lake, folderOf(delivery, stream), call))) return undefined;
  return openLandingLog(await optionsOf(room, delivery, stream), call);
}

async function optionsOf(room: LandingLogsRoom, delivery: LogFolder, stream: LogStream): Promise<LandingLogOptions> {
  const { lake, clock, telemetry, writer, step } = room;
  return {
    store: lake,
    clock,
    telemetry,
    delivery: delivery.name,
    folder: folderOf(delivery, stream),
    prefix: delivery.prefix,
    manifests: delivery.compaction?.readers === 'manifest',
    notices: delivery.notify !== undefined,
    writer,
    lakeId: await room.lakeId(),
    stream: { name: stream.name, id: stream.id },
    start: () => Promise.reject(new LakewardError('internal', 'a landing log begins with a landing')),
    tuning: { ...room.upkeep?.tuning, ...(room.copies ? {} : { copyMaxMs: 0 }) },
    ...(step === undefined ? {} : { step }),
  };
}

/** Of a delivery that is deleted no more is known than its name. */
type LogFolder = Pick<DeliverySpec, 'name' | 'prefix' | 'compaction' | 'notify'>;

/** Every log of a delivery of this name, whichever stream it was of: their files lie in one folder. */
export async function openLogsOf(
  room: LandingLogsRoom,
  delivery: LogFolder,
  call?: CallOptions,
): Promise<LandingLog[]> {
  const logs: LandingLog[] = [];
  for (const stream of await streamsOf(room.lake, delivery, call)) {
    logs.push(await openLandingLog(await optionsOf(room, delivery, stream), call));
  }
  return logs;
}

/** The same, to be read alone. */
export async function readLogsOf(room: LandingLogsRoom, delivery: LogFolder, call?: CallOptions): Promise<LogReader[]> {
  const logs: LogReader[] = [];
  for (const stream of await streamsOf(room.lake, delivery, call)) {
    logs.push(await readLandingLog(await optionsOf(room, delivery, stream), call));
  }
  return logs;
}

/** The logs of deliveries that are not among those known: deleted ones, whose files stayed. */
export async function readLogsBeside(
  room: LandingLogsRoom,
  known: { has(delivery: string): boolean },
  call?: CallOptions,
): Promise<LogReader[]> {
  const logs: LogReader[] = [];
  for (const name of await foldersIn(room.lake, `${SYSTEM_FOLDER}/`, call)) {
    if (!known.has(name)) logs.push(...(await readLogsOf(room, { name, prefix: name }, call)));
  }
  return logs;
}

/** The streams that a delivery has a log of. */
async function streamsOf(lake: LakeStore, { name }: LogFolder, call?: CallOptions): Promise<LogStream[]> {
  const streams: LogStream[] = [];
  for (const id of await foldersIn(lake, `${SYSTEM_FOLDER}/${name}/`, call)) {
    const stream = { name: '', id: asStreamId(id) };
    if (await hasLandingLogAt(lake, folderOf({ name }, stream), call)) streams.push(stream);
  }
  return streams;
}

/** Names of the folders below a folder: one step of the list each. */
async function foldersIn(lake: LakeStore, top: string, call?: CallOptions): Promise<string[]> {
  const names: string[] = [];
  for (let after: LakePath | undefined; ; ) {
    const cursor = after === undefined ? {} : { after };
    const [file] = (await lake.list(top, { ...call, ...cursor, limit: 1 })).files;
    if (file === undefined) return names;
    const [name = '', ...rest] = file.path.slice(top.length).split('/');
    if (rest.length > 0) names.push(name);
    // The character behind the slash: past all that lies in the folder.
    after = rest.length > 0 ? lakePath(`${top}${name}0`) : file.path;
  }
}

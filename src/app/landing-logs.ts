/** Opens landing logs beside the deliveries' own, for those who take care of the files that landed. */
import { folderOf, hasLandingLogAt } from '../delivery/log-holder.ts';
import { type LandingLog, openLandingLog } from '../landing/landing-log.ts';
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
  spec: DeliverySpec,
  stream: LogStream,
  call?: CallOptions,
): Promise<LandingLog | undefined> {
  const { lake, clock, telemetry, writer, step } = room;
  const folder = folderOf(spec, stream);
  if (!(await hasLandingLogAt(lake, folder, call))) return undefined;
  return openLandingLog(
    {
      store: lake,
      clock,
      telemetry,
      delivery: spec.name,
      folder,
      prefix: spec.prefix,
      manifests: spec.compaction?.readers === 'manifest',
      writer,
      lakeId: await room.lakeId(),
      stream: { name: stream.name, id: stream.id },
      start: () => Promise.reject(new LakewardError('internal', 'a landing log begins with a landing')),
      tuning: { ...room.upkeep?.tuning, ...(room.copies ? {} : { copyMaxMs: 0 }) },
      ...(step === undefined ? {} : { step }),
    },
    call,
  );
}

/** Every log of a delivery of this name, whichever stream it was of: their files lie in one folder. */
export async function openLogsOf(room: LandingLogsRoom, spec: DeliverySpec, call?: CallOptions): Promise<LandingLog[]> {
  const logs: LandingLog[] = [];
  for (const id of await streamsOf(room.lake, spec, call)) {
    const log = await openLogOf(room, spec, { name: spec.stream, id: asStreamId(id) }, call);
    if (log !== undefined) logs.push(log);
  }
  return logs;
}

/** Names of the folders below the delivery's: one step of the list each. */
async function streamsOf(lake: LakeStore, { name }: DeliverySpec, call?: CallOptions): Promise<string[]> {
  const top = `${SYSTEM_FOLDER}/${name}/`;
  const ids: string[] = [];
  for (let after: LakePath | undefined; ; ) {
    const cursor = after === undefined ? {} : { after };
    const [file] = (await lake.list(top, { ...call, ...cursor, limit: 1 })).files;
    if (file === undefined) return ids;
    const id = file.path.slice(top.length).split('/')[0] ?? '';
    ids.push(id);
    // The character behind the slash: past all that lies in the folder.
    after = lakePath(`${top}${id}0`);
  }
}

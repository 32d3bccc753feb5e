/** Live files as a view of a log has them, with what may be done to them. */
import type { CallOptions } from '../ports/call-options.ts';
import type { DataFile, RejectedFile } from '../model/data-file.ts';
import { eachFile } from './file-list.ts';
import { followLog, loadLog, type LogView } from './follow.ts';
import type { HeldFile, Leaving, LiveFile } from './live-files.ts';
import type { LandingRoom } from './room.ts';

export interface LandedFile {
  readonly file: DataFile;
  /** By then it was published; infinite while that is not known. */
  readonly publishedMs: number;
  /** Published so long ago that no copy of it can be under way: it may be replaced. */
  readonly settled: boolean;
  /** The watermark has not passed the end of its partition. */
  readonly open: boolean;
}

export interface SetAsideFile {
  readonly file: RejectedFile;
  readonly publishedMs: number;
  readonly settled: boolean;
}

export type FilesCall = CallOptions & {
  readonly setAside?: (rejected: SetAsideFile) => void;
  /** Files of late rows that no reader sees yet. */
  readonly held?: (held: LandedFile) => void;
};

/** Reads a log and never finishes anything of it: the newest entry may be on its way, or lack a file that the store lost. */
export interface LogReader {
  /** Reads on first. */
  eachFile(visit: (landed: LandedFile) => void, call?: FilesCall): Promise<void>;
  leaving(): Leaving;
  /** Where files of late rows are held. */
  readonly heldFolder: string;
}

export async function logReader(room: LandingRoom, call?: CallOptions): Promise<LogReader> {
  let view = await loadLog(room, call);
  return {
    async eachFile(visit, its) {
      view = await followLog(room, view, its);
      await showFiles(room, view, visit, its);
    },
    leaving: () => view.state.leaving,
    heldFolder: room.paths.held,
  };
}

export async function showFiles(
  room: LandingRoom,
  { state, checkpoint }: LogView,
  visit: (landed: LandedFile) => void,
  call?: FilesCall,
): Promise<void> {
  const cutMs = room.clock.nowMs() - room.tuning.copyMaxMs;
  const show = (live: LiveFile | HeldFile): void => {
    const { publishedMs = Number.POSITIVE_INFINITY } = live;
    const settled = publishedMs <= cutMs;
    if (live.kind === 'rejected') call?.setAside?.({ file: live.file, publishedMs, settled });
    else if (live.kind === 'held') call?.held?.({ file: live.file, publishedMs, settled, open: false });
    else visit({ file: live.file, publishedMs, settled, open: state.open.has(live.file.partition) });
  };
  for (const held of state.held.values()) show(held);
  const { parts = [], timeMs = 0 } = checkpoint ?? {};
  await eachFile(room, { state, parts, partsMs: timeMs }, show, call);
}

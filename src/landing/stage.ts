/**
 * Takes local files into the lake where readers do not look. Every attempt has a stage path of its own: one that was given up may
 * still arrive later, and must not be taken for the one that is committed. A file that a disk failed on is not tried again: after a
 * failed sync the next one may succeed over pages that were dropped. Whoever made it makes it anew.
 */
import type { LakewardError } from '../model/errors.ts';
import { lakePath } from '../model/lake-path.ts';
import type { ObjectSettings } from '../model/object-settings.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { StageHandle } from '../ports/lake-store.ts';
import { repeated } from './retry.ts';
import type { LandingRoom } from './room.ts';

/** To be published as `directory/name`; the name is unique for ever. */
export interface FileToStage {
  readonly local: string;
  readonly name: string;
  /** Final folder in the lake. */
  readonly directory: string;
  /** How it is kept. */
  readonly object?: ObjectSettings | undefined;
}

export async function stageFile(
  room: LandingRoom,
  nonce: string,
  file: FileToStage,
  call?: CallOptions,
): Promise<StageHandle> {
  const { local, object } = file;
  const final = lakePath(`${file.directory}/${file.name}`);
  const handle = await repeated(
    { clock: room.clock, tries: room.tuning.tries, final: diskFailed },
    (attempt) => {
      const fresh = attempt === 0 ? file.name : `${attempt}-${room.clock.uuid()}-${file.name}`;
      return room.store.stage({ local, staged: room.paths.staged(nonce, fresh), final, object }, call);
    },
    call,
  );
  await room.step('staged');
  return handle;
}

function diskFailed(error: LakewardError): boolean {
  return error.details?.['systemCode'] !== undefined;
}

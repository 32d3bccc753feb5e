/** Joins compaction with what delivery knows of a delivery's files: where its landing log lies, how a file is named and kept. */
import { createCompactions, type CompactionStage, type CompactionStageRoom } from '../compaction/compactions.ts';
import type { FileStyle } from '../compaction/room.ts';
import { dataFileName, extensionOf } from '../delivery/file-name.ts';
import { folderOf, hasLandingLogAt } from '../delivery/log-holder.ts';
import { encryptedExtension, objectOf, shownFacts } from '../delivery/object-settings.ts';
import { openLandingLog } from '../landing/landing-log.ts';
import { LakewardError } from '../model/errors.ts';
import type { LandingStep } from '../landing/steps.ts';
import type { LateLake } from './late-lake.ts';

export interface CompactionPlaceOptions extends Omit<CompactionStageRoom, 'lake' | 'style' | 'openLog'>, LateLake {
  readonly writer: string;
  /** A lake in a folder renames files: no copy of one is ever under way. */
  readonly copies: boolean;
  readonly step?: (name: LandingStep) => Promise<void> | void;
}

const STYLE: FileStyle = {
  extension: (spec) => `.${extensionOf(spec.format, spec.compression)}${encryptedExtension(spec)}`,
  name: (spec, { nonce, atMs }) =>
    dataFileName({ delivery: spec.name, firstArrivalMs: atMs, nonce }, 0, STYLE.extension(spec).slice(1)),
  kept: (spec, file) => ({ ...shownFacts(spec, file), ...objectOf(spec, { ...file, kind: 'data' }) }),
};

export function compactionPlace(options: CompactionPlaceOptions): CompactionStage {
  const { lake, catalog, clock, telemetry, writer, step } = options;
  return createCompactions({
    ...options,
    style: STYLE,
    async openLog(delivery, call) {
      const { delivery: deliveries, stream: streams } = catalog.read();
      const spec = deliveries.get(delivery)?.spec;
      const stream = streams.get(spec?.stream ?? '');
      if (spec === undefined || stream === undefined) return undefined;
      if (!(await hasLandingLogAt(lake, folderOf(spec, stream), call))) return undefined;
      return openLandingLog(
        {
          store: lake,
          clock,
          telemetry,
          delivery,
          folder: folderOf(spec, stream),
          prefix: spec.prefix,
          writer,
          lakeId: await options.lakeId(),
          stream: { name: stream.name, id: stream.id },
          start: () => Promise.reject(new LakewardError('internal', 'a landing log begins with a landing')),
          ...(options.copies ? {} : { tuning: { copyMaxMs: 0 } }),
          ...(step === undefined ? {} : { step }),
        },
        call,
      );
    },
  });
}

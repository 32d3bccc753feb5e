/** Joins compaction with what delivery knows of a delivery's files: where its landing log lies, how a file is named and kept. */
import { createCompactions, type CompactionStage, type CompactionStageRoom } from '../compaction/compactions.ts';
import type { FileStyle } from '../compaction/room.ts';
import { extensionOf, nameBehind } from '../delivery/file-name.ts';
import { encryptedExtension, objectOf, shownFacts } from '../delivery/object-settings.ts';
import { type LandingLogsRoom, openLogOf } from './landing-logs.ts';

export type CompactionPlaceOptions = Omit<CompactionStageRoom, 'lake' | 'style' | 'openLog'> & LandingLogsRoom;

export const STYLE: FileStyle = {
  extension: (spec) => `.${extensionOf(spec.format, spec.compression)}${encryptedExtension(spec)}`,
  name: (spec, { nonce, behind }) => nameBehind(behind, { delivery: spec.name, nonce }, STYLE.extension(spec).slice(1)),
  kept: (spec, file) => ({ ...shownFacts(spec, file), ...objectOf(spec, { ...file, kind: 'data' }) }),
};

export function compactionPlace(options: CompactionPlaceOptions): CompactionStage {
  const { catalog } = options;
  return createCompactions({
    ...options,
    style: STYLE,
    async openLog(delivery, call) {
      const { delivery: deliveries, stream: streams } = catalog.read();
      const spec = deliveries.get(delivery)?.spec;
      const stream = streams.get(spec?.stream ?? '');
      return spec === undefined || stream === undefined ? undefined : openLogOf(options, spec, stream, call);
    },
  });
}

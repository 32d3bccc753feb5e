/** Joins the care of a lake with what delivery knows of its files: landing logs, names, when a partition's time ends. */
import { type CareStage, type CareStageRoom, createLakeCare } from '../compaction/care/lake-care.ts';
import type { PartitionEnds } from '../compaction/care/room.ts';
import { believedTime } from '../delivery/believed-time.ts';
import { closingUnit, unitEndMs } from '../delivery/watermark.ts';
import { compileLayout } from '../partition/layout.ts';
import { STYLE } from './compaction-place.ts';
import { type LandingLogsRoom, openLogsOf } from './landing-logs.ts';

export type CarePlaceOptions = Omit<CareStageRoom, 'style' | 'ends' | 'openLogs' | 'trustedNowMs'> & LandingLogsRoom;

export function carePlace(options: CarePlaceOptions): CareStage {
  const believed = believedTime(options.clock);
  return createLakeCare({
    ...options,
    style: STYLE,
    ends: ENDS,
    openLogs: (spec, call) => openLogsOf(options, spec, call),
    trustedNowMs() {
      const { nowMs, doubt } = believed();
      return doubt === undefined ? nowMs : undefined;
    },
  });
}

export const ENDS: PartitionEnds = {
  ofTime(spec, eventMs) {
    const unit = closingUnit(compileLayout(spec.layout).units);
    return unit === undefined ? undefined : unitEndMs(eventMs, unit);
  },
  ofPartition(spec, partition) {
    const { yyyy, MM = 1, dd = 1, HH = 0, mm = 0 } = compileLayout(spec.layout).parse(partition)?.units ?? {};
    return yyyy === undefined ? undefined : ENDS.ofTime(spec, Date.UTC(yyyy, MM - 1, dd, HH, mm));
  },
};

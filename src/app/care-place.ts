/** Joins the care of a lake with what delivery knows of its files: landing logs, names, columns, when a partition's time ends. */
import { type CareStage, type CareStageRoom, createLakeCare } from '../compaction/care/lake-care.ts';
import type { Comparison } from '../compaction/care/prune.ts';
import type { CareRoom, PartitionEnds } from '../compaction/care/room.ts';
import { believedTime } from '../delivery/believed-time.ts';
import { rejectedFileName } from '../delivery/file-name.ts';
import { encryptedExtension, objectOf } from '../delivery/object-settings.ts';
import { planOfVersion } from '../delivery/plan-keeper.ts';
import { lakeChunks, linesOf } from '../delivery/rejected-lines.ts';
import { closingUnit, unitEndMs } from '../delivery/watermark.ts';
import { avroView } from '../ingest/http/avro-body.ts';
import type { Column, ColumnPlan, ColumnType } from '../model/column-plan.ts';
import { compileLayout } from '../partition/layout.ts';
import type { Schemas } from '../ports/schemas.ts';
import { STYLE } from './compaction-place.ts';
import { type LandingLogsRoom, openLogsOf, readLogsBeside, readLogsOf } from './landing-logs.ts';

export interface CarePlaceOptions
  extends Omit<
      CareStageRoom,
      | 'openLogs'
      | 'readLogs'
      | 'readOtherLogs'
      | 'trustedNowMs'
      | keyof typeof STYLES
      | keyof ReturnType<typeof readers>
    >,
    LandingLogsRoom {
  readonly schemas: Schemas;
}

export function carePlace(options: CarePlaceOptions): CareStage {
  const believed = believedTime(options.clock);
  return createLakeCare({
    ...options,
    ...STYLES,
    ...readers(options),
    openLogs: (spec, call) => openLogsOf(options, spec, call),
    readLogs: (spec, call) => readLogsOf(options, spec, call),
    readOtherLogs: (call) => readLogsBeside(options, options.catalog.read().delivery, call),
    trustedNowMs() {
      const { nowMs, doubt } = believed();
      return doubt === undefined ? nowMs : undefined;
    },
  });
}

const ENDS: PartitionEnds = {
  ofTime(spec, eventMs) {
    const unit = closingUnit(compileLayout(spec.layout).units);
    return unit === undefined ? undefined : unitEndMs(eventMs, unit);
  },
  ofPartition(spec, partition) {
    const { yyyy, MM = 1, dd = 1, HH = 0, mm = 0 } = compileLayout(spec.layout).parse(partition)?.units ?? {};
    return yyyy === undefined ? undefined : ENDS.ofTime(spec, Date.UTC(yyyy, MM - 1, dd, HH, mm));
  },
};

const STYLES = {
  style: STYLE,
  ends: ENDS,
  rejectedStyle(spec, { nonce, atMs, rows, planVersion }) {
    const name = rejectedFileName({ delivery: spec.name, firstArrivalMs: atMs, nonce });
    const facts = { kind: 'rejected', partition: '', planVersion, rows } as const;
    return { name: `${name}${encryptedExtension(spec)}`, ...objectOf(spec, facts) };
  },
} satisfies Partial<CareRoom>;

/** What a delivery's files hold, and how it is read. */
function readers({ catalog, schemas, lake }: Pick<CareRoom, 'catalog' | 'lake'> & { readonly schemas: Schemas }) {
  return {
    comparison: (spec, planVersion, field) =>
      comparisonOf(planOfVersion(catalog.read(), spec.name, planVersion), field.split('.')),
    rejectedLines: (file, signal) => linesOf(lakeChunks(lake, file, signal)),
    recordText: (data) => avroView(data, schemas).json ?? Buffer.from(data, 'base64').toString(),
  } satisfies Partial<CareRoom>;
}

const COMPARISONS: Readonly<Partial<Record<ColumnType['kind'], Comparison>>> = {
  string: 'text',
  enum: 'text',
  int: 'number',
  double: 'number',
  decimal: 'number',
};

function comparisonOf(plan: ColumnPlan | undefined, path: readonly string[]): Comparison | undefined {
  // What a transform makes of a record may have other types than the plan tells.
  if (plan === undefined || plan.transform !== undefined) return undefined;
  let columns: readonly Column[] = plan.columns;
  for (const [i, key] of path.entries()) {
    const type = columns.find(({ name }) => name === key)?.type;
    if (type === undefined) return undefined;
    if (i === path.length - 1) return COMPARISONS[type.kind];
    if (type.kind !== 'struct') return undefined;
    columns = type.fields;
  }
  return undefined;
}

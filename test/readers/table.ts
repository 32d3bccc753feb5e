/** A table of every type and null pattern: its Avro schema, its records, and the rows that readers should give back. */
import { planFromAvro } from '../../src/schema/avro-plan.ts';
import type { ColumnPlan } from '../../src/model/column-plan.ts';
import type { TypeCase } from './cases.ts';
import { CASES, NULLS } from './cases.ts';

export interface Table {
  readonly plan: ColumnPlan;
  /** JSON texts. */
  readonly records: readonly string[];
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** The case of each column. */
  readonly cases: ReadonlyMap<string, TypeCase>;
}

const ROWS = 7;

export function tableOf(names: readonly string[] = Object.keys(CASES)): Table {
  const cases = new Map<string, TypeCase>();
  const patterns: ((row: number, rows: number) => boolean)[] = [];
  for (const name of names) {
    for (const [pattern, isNull] of Object.entries(NULLS)) {
      cases.set(`${name}_${pattern}`, CASES[name] as TypeCase);
      patterns.push(isNull);
    }
  }
  const columns = [...cases];
  const fields = columns.map(([name, { avro }]) => {
    const type = avro(`N_${name}`);
    return { name, type: Array.isArray(type) ? ['null', ...(type as unknown[])] : ['null', type] };
  });
  const records: string[] = [];
  const rows: Record<string, unknown>[] = [];
  for (let row = 0; row < ROWS; row += 1) {
    const members: string[] = [];
    const read: Record<string, unknown> = {};
    for (const [i, [name, { values }]] of columns.entries()) {
      const [json, value] = values[row % values.length] as readonly [string, unknown];
      const isNull = patterns[i]?.(row, ROWS) === true;
      read[name] = isNull ? null : value;
      // Null is told and left out in turns.
      if (!isNull) members.push(`"${name}":${json}`);
      else if ((row + i) % 2 === 0) members.push(`"${name}":null`);
    }
    records.push(`{${members.join(',')}}`);
    rows.push(read);
  }
  return { plan: planFromAvro({ type: 'record', name: 'Row', fields }), records, rows, cases };
}

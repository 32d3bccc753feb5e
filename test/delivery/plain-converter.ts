/**
 * A converter for tests of the delivery stage: NDJSON files in a map instead of a disk, event time from the field `at` (epoch ms) or
 * arrival, rows that are no JSON objects rejected. Fast, and it keeps to the port: every record comes out once.
 */
import { LakewardError } from '../../src/model/errors.ts';
import type { RejectedRow } from '../../src/model/data-file.ts';
import type { RecordBatch } from '../../src/model/record-batch.ts';
import type { ShardIndex } from '../../src/model/stream.ts';
import { compileLayout } from '../../src/partition/layout.ts';
import type { ConvertedFile, ConvertJob, Converter, ConvertResult } from '../../src/ports/converter.ts';

export interface PlainConverter extends Converter {
  /** Runs before each conversion; may throw or wait. */
  before: ((job: ConvertJob, call: number) => Promise<void> | void) | undefined;
  readonly jobs: ConvertJob[];
  /** Takes texts that are no JSON for rows. */
  lenient?: boolean;
}

interface Group {
  lines: string[];
  eventMinMs: number;
  eventMaxMs: number;
}

/** `local`: the files made, by path; taken out by the lake. `passes`: how often the batches are read. */
export function plainConverter(local: Map<string, Uint8Array>, passes = 1): PlainConverter {
  const jobs: ConvertJob[] = [];
  let calls = 0;
  const converter: PlainConverter = {
    before: undefined,
    jobs,
    open: async () => {},
    close: async () => {},
    async convert(job, batches, options) {
      jobs.push(job);
      calls += 1;
      await converter.before?.(job, calls);
      for (let pass = 1; pass < passes; pass += 1) for await (const batch of batches) if (batch.count === 0) break;
      const groups = new Map<string, Group>();
      const rejected: string[] = [];
      const high = new Map<ShardIndex, number>();
      const layout = compileLayout(job.layout);
      for await (const batch of batches) {
        options?.signal?.throwIfAborted();
        for (let i = 0; i < batch.count; i += 1) take(batch, i);
      }
      return finish(job, groups, rejected, high);

      function take(batch: RecordBatch, i: number): void {
        const text = textOf(batch, i);
        const arrivalMs = batch.arrivals[i] ?? 0;
        const row = parsed(text) ?? (converter.lenient === true ? { id: text } : undefined);
        if (row === undefined) {
          const arrival = new Date(arrivalMs).toISOString();
          const facts = { code: 'not-json', reason: 'x', column: null, shard: batch.shard };
          const data = Buffer.from(text).toString('base64');
          rejected.push(JSON.stringify({ ...facts, offset: batch.firstOffset + i, arrival, partitionKey: '', data }));
          return;
        }
        const eventMs = typeof row['at'] === 'number' ? row['at'] : arrivalMs;
        const fields = layout.fields.map((field) => JSON.stringify(row[field] ?? ''));
        const partition = layout.format({ timeMs: eventMs, fields }) ?? '';
        const group = groups.get(partition) ?? { lines: [], eventMinMs: eventMs, eventMaxMs: eventMs };
        group.lines.push(parsed(text) === undefined ? JSON.stringify(row) : text);
        group.eventMinMs = Math.min(group.eventMinMs, eventMs);
        group.eventMaxMs = Math.max(group.eventMaxMs, eventMs);
        groups.set(partition, group);
        const seen = Math.min(eventMs, arrivalMs);
        high.set(batch.shard, Math.max(high.get(batch.shard) ?? seen, seen));
      }
    },
    dropRows: async () => {
      throw new LakewardError('convert-failed', 'files of this converter are not rewritten');
    },
    async merge({ inputs, directory }) {
      const lines = inputs.flatMap((input) => new TextDecoder().decode(local.get(input.local)).split('\n'));
      const rows = lines.filter((line) => line !== '');
      const path = `${directory}/merged`;
      const bytes = save(path, rows);
      return { local: path, bytes, columns: [], digest: { rows: rows.length, checksum: 'c' } };
    },
    checkTransform: async () => undefined,
    async infer(sample) {
      if (sample.length === 0) throw new LakewardError('convert-failed', 'no sample');
      return { version: 1, misfit: 'extra', columns: [{ name: 'id', type: { kind: 'string' }, nullable: true }] };
    },
  };

  function finish(
    job: ConvertJob,
    groups: ReadonlyMap<string, Group>,
    rejected: readonly string[],
    eventHighMs: ReadonlyMap<ShardIndex, number>,
  ): ConvertResult {
    const files = [...groups].map(([partition, group], n): ConvertedFile => {
      const path = `${job.directory}/${n}`;
      const bytes = save(path, group.lines);
      const { eventMinMs, eventMaxMs, lines } = group;
      return { local: path, partition, rows: lines.length, bytes, eventMinMs, eventMaxMs, columns: [] };
    });
    const rows = files.reduce((sum, file) => sum + file.rows, 0);
    const reasons = [{ code: 'not-json' as const, rows: rejected.length }];
    const first = rejected[0] === undefined ? undefined : (JSON.parse(rejected[0]) as RejectedRow);
    const path = `${job.directory}/rejected`;
    const bad =
      first === undefined
        ? undefined
        : { local: path, rows: rejected.length, bytes: save(path, rejected), reasons, first, densest: rejected.length };
    return { files, rejected: bad, rows, filteredRows: 0, extraRows: 0, eventHighMs };
  }

  function save(path: string, lines: readonly string[]): number {
    const bytes = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(''));
    local.set(path, bytes);
    return bytes.byteLength;
  }

  return converter;
}

function textOf(batch: RecordBatch, i: number): string {
  const start = i === 0 ? 0 : (batch.dataEnds[i - 1] ?? 0);
  return new TextDecoder().decode(batch.data.subarray(start, batch.dataEnds[i]));
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

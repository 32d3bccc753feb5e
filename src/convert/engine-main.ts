/**
 * The engine process: one DuckDB of one thread, driven by the frames of the server that started it. It does one command at a time,
 * keeps nothing between commands but the ids of events that landed, and dies with its server: at the end of either pipe. Started by `engine-process.ts` only, with its
 * options as the one argument and its scratch folder as working folder.
 */
import { readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { asJson, avroRecords } from './engine/avro-records.ts';
import { startConversion } from './engine/conversion.ts';
import type { FrameReader } from './engine/frame-reader.ts';
import { dropRows } from './engine/drop-rows.ts';
import { frameReader } from './engine/frame-reader.ts';
import { startInference } from './engine/inference.ts';
import { connectTo, inSandbox, openInstance } from './engine/instance.ts';
import { KeyFileError } from './engine/key-file.ts';
import { knownIds } from './engine/known-ids.ts';
import { proveJob } from './engine/proof.ts';
import { ColumnsDifferError, mergeFiles } from './engine/merge-files.ts';
import { ManyPartitionsError } from './engine/spools.ts';
import { checkTransform } from './engine/transform-check.ts';
import type { Failures } from './engine/transform-out.ts';
import type { RecordBatch } from '../model/record-batch.ts';
import type { ConvertJob } from '../ports/converter.ts';
import { decodeBatch } from './frames.ts';
import type { Command, ConvertAnswer, EngineOptions, Lack, Message } from './protocol.ts';
import { FRAME, OUTPUT_FD } from './protocol.ts';

const options = JSON.parse(process.argv[2] ?? '{}') as EngineOptions;
const { crashMarker, hangMarker, failMarker } = options;
const watch = [crashMarker, hangMarker, failMarker].every((one) => one === undefined) ? undefined : obeyMarkers;
// Beginnings only: further on a message may quote a record.
const MEMORY = /^Out of Memory Error\b/;
/** Memory is short because the spilled bytes find no room. */
const SPILL = /max_temp_directory_size|No space left/;
const OTHER_RESOURCE =
  /^(IO Error|Array buffer allocation failed|Invalid typed array length|ENOSPC|EDQUOT|EMFILE|ENFILE|ENOMEM|EROFS|EIO|EACCES)\b/;
const BROKEN = /^(INTERNAL|FATAL) Error/i;

// While a query runs the event loop turns, and the end of standard input tells that the server is gone.
process.stdin
  .on('end', () => process.exit(0))
  .on('error', () => process.exit(0))
  .resume();

const instance = await openInstance(options);
const connection = await connectTo(instance);
const frames = frameReader(() => say({ kind: 'taken' }));
const known = knownIds(() => say({ kind: 'alive' }));
say({ kind: 'ready' });
for (;;) {
  const command = nextCommand(frames);
  if (command === undefined) process.exit(0);
  await run(command).then(say, (error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    const lack = lackOf(error, message);
    say({ kind: 'failed', message, ...(lack === undefined ? {} : { lack }), broken: BROKEN.test(message) });
  });
}

function lackOf(error: unknown, message: string): Lack | undefined {
  if (error instanceof KeyFileError) return 'keys';
  if (error instanceof ColumnsDifferError) return 'columns';
  if (MEMORY.test(message)) return SPILL.test(message) ? 'other' : 'memory';
  return error instanceof ManyPartitionsError || OTHER_RESOURCE.test(message) ? 'other' : undefined;
}

function nextCommand(frames: FrameReader): Command | undefined {
  for (;;) {
    const frame = frames.next();
    if (frame === undefined) return undefined;
    if (frame.type !== FRAME.command) continue;
    const command = JSON.parse(frame.body.toString()) as Command;
    // The rest of a command that failed.
    if (command.kind !== 'end') return command;
  }
}

async function run(command: Command): Promise<Message> {
  if (command.kind === 'end') throw new Error('an end without a command');
  if (command.kind === 'infer') {
    const inference = startInference();
    const decoder = avroRecords(command.schemas);
    feed((batch) => inference.add(asJson(batch, decoder)));
    return {
      kind: 'inferred',
      plan: inference.plan(command.eventTime, command.fields),
      rssBytes: process.memoryUsage.rss(),
    };
  }
  if (command.kind === 'check') {
    feed(() => undefined);
    const { transform, plan } = command;
    const checked = await inSandbox(options, [], (fenced) => checkTransform(fenced, transform, plan));
    return { kind: 'checked', checked, rssBytes: process.memoryUsage.rss() };
  }
  if (command.kind === 'merge') {
    feed(() => undefined);
    const result = await mergeFiles(connection, command.job, (bytes) => say({ kind: 'alive', bytes }));
    return { kind: 'merged', result, rssBytes: process.memoryUsage.rss() };
  }
  if (command.kind === 'drop') {
    feed(() => undefined);
    const result = await dropRows(connection, command.job, (bytes) => say({ kind: 'alive', bytes }));
    return { kind: 'dropped', result, rssBytes: process.memoryUsage.rss() };
  }
  if (command.kind === 'prove') {
    const { job } = command;
    feed(() => undefined);
    await connected(job, (its) => proveJob(its, job, process.cwd()));
    return { kind: 'proved', rssBytes: process.memoryUsage.rss() };
  }
  return await convert(command);
}

/**
 * When expressions fail on rows the job is done again with these rejected in their turn. Where duplicates are dropped, all rows are looked
 * at in between: a duplicate of a row that fails is none.
 */
async function convert({ job, deadly, schemas }: Command & { kind: 'convert' }): Promise<Message> {
  const avro = avroRecords(schemas);
  const ids = job.dedupe === undefined ? undefined : known.of(job.dedupe);

  async function pass(feedAll: typeof feed, failed: Failures, survey = false): Promise<ConvertAnswer | Failures> {
    const about = { scratch: process.cwd(), memoryBytes: options.memoryBytes, avro, watch };
    const setting = { ...about, known: survey ? undefined : ids, failed, survey };
    const conversion = startConversion(job, deadly, setting);
    try {
      feedAll((batch) => conversion.add(batch));
      return await connected(job, (its) => conversion.finish(its, (bytes) => say({ kind: 'alive', bytes })));
    } finally {
      conversion.close();
    }
  }

  try {
    frames.keep(job.plan.transform !== undefined);
    let result = await pass(feed, new Map());
    if (result instanceof Map) {
      const failed = ids === undefined ? result : await pass(againInto(job), new Map(), true);
      if (failed instanceof Map) result = await pass(againInto(job), failed);
    }
    if (!('files' in result)) throw new Error('an expression does not fail on the same rows each time');
    return { kind: 'converted', result, rssBytes: process.memoryUsage.rss() - known.bytes() };
  } finally {
    frames.keep(false);
  }
}

/** All batches of the job once more, with nothing left of the pass before. */
function againInto({ directory }: ConvertJob): typeof feed {
  return (add) => {
    for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true, force: true });
    for (const { type, body } of frames.kept()) {
      if (type !== FRAME.batch) continue;
      add(decodeBatch(body));
      say({ kind: 'alive' });
    }
  };
}

/** SQL of an operator runs in an instance of its own that reaches nothing but the folders of the job. */
async function connected<T>(job: ConvertJob, use: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  if (job.plan.transform === undefined) return await use(connection);
  return await inSandbox(options, [process.cwd(), job.directory], use);
}

/** Hands on batches until the command's end. */
function feed(add: (batch: RecordBatch) => void): void {
  for (;;) {
    const frame = frames.next();
    if (frame === undefined) process.exit(0);
    if (frame.type === FRAME.command) return;
    add(decodeBatch(frame.body));
    say({ kind: 'alive' });
  }
}

function obeyMarkers(data: Buffer): void {
  if (crashMarker !== undefined && data.includes(crashMarker)) process.kill(process.pid, 'SIGSEGV');
  if (hangMarker !== undefined && data.includes(hangMarker)) for (;;);
  if (failMarker !== undefined && data.includes(failMarker)) throw new Error('Conversion Error: a text says so');
}

/** Blocks until the server has taken it: the event loop does not turn while the engine waits for frames. */
function say(message: Message): void {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(OUTPUT_FD, bytes, done);
  } catch {
    process.exit(0);
  }
}

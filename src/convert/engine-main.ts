/**
 * The engine process: one DuckDB of one thread, driven by the frames of the server that started it. It does one command at a time,
 * keeps nothing between commands but the ids of events that landed, and dies with its server: at the end of either pipe. Started by `engine-process.ts` only, with its
 * options as the one argument and its scratch folder as working folder.
 */
import { writeSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBConnection } from '@duckdb/node-api';
import { asJson, avroRecords } from './engine/avro-records.ts';
import { startConversion } from './engine/conversion.ts';
import type { FrameReader } from './engine/frame-reader.ts';
import { frameReader } from './engine/frame-reader.ts';
import { startInference } from './engine/inference.ts';
import { KeyFileError } from './engine/key-file.ts';
import { knownIds } from './engine/known-ids.ts';
import { proveJob } from './engine/proof.ts';
import { ManyPartitionsError } from './engine/spools.ts';
import type { RecordBatch } from '../model/record-batch.ts';
import { decodeBatch } from './frames.ts';
import type { Command, EngineOptions, Lack, Message } from './protocol.ts';
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

const instance = await DuckDBInstance.create(':memory:', {
  threads: '1',
  memory_limit: `${Math.floor(options.memoryBytes / 1024)}KiB`,
  temp_directory: 'spill',
});
const connection = await instance.connect();
await prepare(connection);
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
  if (MEMORY.test(message)) return SPILL.test(message) ? 'other' : 'memory';
  return error instanceof ManyPartitionsError || OTHER_RESOURCE.test(message) ? 'other' : undefined;
}

async function prepare(connection: DuckDBConnection): Promise<void> {
  await connection.run("SET TimeZone = 'UTC'");
  await connection.run('SET preserve_insertion_order = false');
  await connection.run('SET partitioned_write_max_open_files = 1000');
  await connection.run('SET autoinstall_known_extensions = false');
  await connection.run('SET autoload_known_extensions = false');
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
  if (command.kind === 'prove') {
    feed(() => undefined);
    await proveJob(connection, command.job, process.cwd());
    return { kind: 'proved', rssBytes: process.memoryUsage.rss() };
  }
  const { dedupe } = command.job;
  const conversion = startConversion(command.job, command.deadly, {
    scratch: process.cwd(),
    memoryBytes: options.memoryBytes,
    avro: avroRecords(command.schemas),
    known: dedupe === undefined ? undefined : known.of(dedupe),
    watch,
  });
  try {
    feed((batch) => conversion.add(batch));
    const result = await conversion.finish(connection, (bytes) => say({ kind: 'alive', bytes }));
    return { kind: 'converted', result, rssBytes: process.memoryUsage.rss() - known.bytes() };
  } finally {
    conversion.close();
  }
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

/**
 * Installs the Kafka of development and tests, once, below `.cache` beside `node_modules`: its jars from Maven Central, by Maven. No
 * container engine is needed. Says what is missing and how it comes.
 */
import { execFile } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CACHE } from './s3-install.ts';

const run = promisify(execFile);
const POM = join(import.meta.dirname, 'kafka-pom.xml');
const HOW = 'npm run dev:kafka -- install, which needs Java >= 17 and Maven';

/** Jars of the version that the POM names; there only when all of them are. */
export const KAFKA_JARS = join(CACHE, 'kafka-4.3.1');

/** What Kafka lacks to be started and how that comes; undefined when it lacks nothing. */
export async function missingKafka(): Promise<string | undefined> {
  if (!existsSync(KAFKA_JARS)) return `needs Kafka (${HOW})`;
  const java = await run('java', ['-version']).catch(() => undefined);
  return java === undefined ? 'needs Kafka, and that needs Java >= 17 as `java`' : undefined;
}

/** Copies the jars when they are not there. */
export async function installKafka(): Promise<void> {
  if (existsSync(KAFKA_JARS)) return;
  const half = `${KAFKA_JARS}.${process.pid}`;
  try {
    const copy = ['dependency:copy-dependencies', `-DoutputDirectory=${half}`, '-DincludeScope=runtime'];
    await run('mvn', ['--batch-mode', '--quiet', '--file', POM, ...copy], { maxBuffer: 1 << 26 });
    renameSync(half, KAFKA_JARS);
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}

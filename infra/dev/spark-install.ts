/**
 * Installs the Spark that benchmarks stand beside, once, below `.cache` beside `node_modules`: Spark itself by pip into an environment of
 * its own, and what it needs for Kafka by Maven. Throws what is missing when it cannot.
 */
import { execFile } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CACHE } from './s3-install.ts';

const run = promisify(execFile);
const VERSION = '4.2.0';
const POM = join(import.meta.dirname, 'spark-pom.xml');
const HOME = join(CACHE, `spark-${VERSION}`);
/** There only when Spark is, too. */
const JARS = join(HOME, 'kafka-jars');

export interface Spark {
  readonly version: string;
  readonly python: string;
  /** A class path. */
  readonly kafkaJars: string;
}

export async function installSpark(): Promise<Spark> {
  const python = join(HOME, 'bin', 'python');
  await run('java', ['-version']);
  if (!existsSync(JARS)) {
    await run('python3', ['-m', 'venv', HOME]);
    await run(python, ['-m', 'pip', 'install', '--quiet', `pyspark==${VERSION}`]);
    const half = `${JARS}.${process.pid}`;
    try {
      const copy = ['dependency:copy-dependencies', `-DoutputDirectory=${half}`, '-DincludeScope=runtime'];
      await run('mvn', ['--batch-mode', '--quiet', '--file', POM, ...copy], { maxBuffer: 1 << 26 });
      renameSync(half, JARS);
    } finally {
      rmSync(half, { recursive: true, force: true });
    }
  }
  return { version: VERSION, python, kafkaJars: join(JARS, '*') };
}

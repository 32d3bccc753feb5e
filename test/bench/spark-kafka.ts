/** Spark as a peer: lands a Kafka topic of clickstream events into hourly Parquet; the start of its session is told apart. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { installSpark } from '../../infra/dev/spark-install.ts';
import type { Landed } from './landing.ts';
import { memoryPeak, treeCpu } from './process-tree.ts';

export interface SparkLanded extends Landed {
  readonly version: string;
  /** CPU seconds until its session was there and warm. */
  readonly startCpu: number;
}

/** Throws when Spark cannot be had, or wrote another number of rows. */
export async function landBySpark(options: {
  readonly bootstrap: string;
  readonly topic: string;
  readonly folder: string;
  readonly events: number;
}): Promise<SparkLanded> {
  const { version, python, kafkaJars } = await installSpark();
  const { bootstrap, topic, folder, events } = options;
  const child = spawn(python, [join(import.meta.dirname, 'spark_kafka.py'), bootstrap, topic, folder], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PYSPARK_PYTHON: python,
      PYSPARK_SUBMIT_ARGS: `--driver-memory 2g --driver-class-path ${kafkaJars} pyspark-shell`,
    },
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4096);
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  async function told(word: string): Promise<number> {
    for (;;) {
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`Spark ended\n${errors}`);
      if (value.startsWith(word)) return Number(value.slice(word.length));
    }
  }
  const pid = child.pid ?? 0;
  const peak = memoryPeak(pid);
  try {
    await told('started');
    const startCpu = treeCpu(pid);
    child.stdin.write('\n');
    const seconds = await told('landed');
    const cpu = treeCpu(pid) - startCpu;
    child.stdin.write('\n');
    const rows = await told('rows');
    if (rows !== events) throw new Error(`Spark wrote ${rows} of ${events} events`);
    const files = readdirSync(join(folder, 'events'), { recursive: true }).filter((name) =>
      String(name).endsWith('.parquet'),
    ).length;
    return { version, startCpu, seconds, cpu, memory: peak.stop(), files };
  } finally {
    peak.stop();
    child.stdin.end();
    if (child.exitCode === null && child.signalCode === null) {
      child.kill();
      await new Promise((resolve) => child.once('exit', resolve));
    }
  }
}

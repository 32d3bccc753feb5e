/**
 * A process of a cluster run, kept alive as an operator's supervisor would: one that ends is started again, after a while that a fault says.
 * One that ends by itself after it was ready is told: nothing but a fault may end a process.
 */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freeLowPort } from '../../infra/dev/s3-server.ts';
import { type ServerProcess, startServerProcess } from '../bench/server-process.ts';

export interface Member {
  readonly name: string;
  readonly url: string;
  /** SIGKILL; comes back after a while, to kill itself at a step of landing should there be one. Resolves when it is back for good. */
  kill(awayMs: number, step?: string): Promise<void>;
  /** SIGSTOP, and SIGCONT after a while. */
  freeze(forMs: number): Promise<void>;
  /** SIGTERM; for good. */
  stop(): Promise<void>;
  /** SIGKILL; for good. */
  end(): Promise<void>;
}

export interface MemberOptions {
  readonly name: string;
  readonly folder: string;
  readonly port: number;
  /** As in `lakeward.yaml`, without `server` and `data`. */
  readonly settings: object;
  readonly env: Readonly<Record<string, string>>;
  /** What nobody asked for. */
  readonly complain: (text: string) => void;
}

/** A life that was told to end at a step, and does not come by it for so long, is ended. */
const STEP_MS_MAX = 8000;
/** As if killed at a step that never comes: the upkeep of the logs is hurried then, so that a short run sees it. */
const HURRIED = 'never:1';
const AGAIN_MS = 300;
/** Many processes start at once, on a machine that may have few cores. */
const READY_MS_MAX = 180_000;
const STARTS_MAX = 20;

/** Lets the processes of a run start in half the time: one that ends in order leaves its compiled code behind, killed ones do not. */
export async function compiledCode(folder: string): Promise<Readonly<Record<string, string>>> {
  const env = { NODE_COMPILE_CACHE: join(folder, 'compiled') };
  const config = join(folder, 'compiled.yaml');
  const port = await freeLowPort();
  writeFileSync(config, JSON.stringify({ server: { port }, data: { folder: join(folder, 'compiled-by') } }));
  const server = await startServerProcess({ config, port, env, readyMsMax: READY_MS_MAX });
  await server.stop();
  return env;
}

export async function startMember(options: MemberOptions): Promise<Member> {
  const { name, folder, port, settings, complain } = options;
  mkdirSync(folder, { recursive: true });
  const config = join(folder, `${name}.yaml`);
  const data = { folder: join(folder, name) };
  writeFileSync(config, JSON.stringify({ server: { port, drain: '20s' }, data, ...settings }));
  const logFile = join(folder, `${name}.log`);
  let running: ServerProcess | undefined;
  /** Why the running process may end. */
  let isEnding = false;

  async function startOnce(crashAt: string): Promise<void> {
    const env = { ...options.env, LAKEWARD_CRASH_AT: crashAt };
    const onLog = (text: string): void => appendFileSync(logFile, text);
    const server = await startServerProcess({ config, port, env, onLog, readyMsMax: READY_MS_MAX });
    running = server;
    isEnding = crashAt !== HURRIED;
    const mayEnd = (): boolean => isEnding;
    void server.exited.then(() => {
      if (mayEnd() || running !== server) return;
      complain(`${name} ended by itself: ${server.log().slice(-1500)}`);
      void start().catch((error: unknown) => complain(`${name} does not start again: ${String(error)}`));
    });
  }

  /** A start may fail while Kafka or the lake is away: then again, as a supervisor does. */
  async function start(crashAt = HURRIED): Promise<void> {
    for (let turn = 1; ; turn++) {
      try {
        await startOnce(crashAt);
        return;
      } catch (error) {
        appendFileSync(logFile, `start ${turn} failed: ${String(error)}\n`);
        // A step of landing may come before it is ready.
        if (crashAt !== HURRIED) return;
        if (turn >= STARTS_MAX) throw error;
        await sleep(AGAIN_MS);
      }
    }
  }

  async function end(): Promise<void> {
    const server = running;
    if (server === undefined) return;
    isEnding = true;
    if (server.process.exitCode === null && server.process.signalCode === null) server.process.kill('SIGKILL');
    await server.exited;
    running = undefined;
  }

  await start();
  return {
    name,
    url: `http://127.0.0.1:${port}`,
    async kill(awayMs, step) {
      await end();
      await sleep(awayMs);
      if (step !== undefined) {
        await start(step);
        const given = new AbortController();
        const late = sleep(STEP_MS_MAX, undefined, { signal: given.signal }).catch(() => undefined);
        await Promise.race([running?.exited, late]);
        given.abort();
        await end();
      }
      await start();
    },
    async freeze(forMs) {
      running?.process.kill('SIGSTOP');
      await sleep(forMs);
      running?.process.kill('SIGCONT');
    },
    async stop() {
      isEnding = true;
      await running?.stop();
      running = undefined;
    },
    end,
  };
}

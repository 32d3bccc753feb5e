/** Servers that share streams on Kafka, a lake and the catalog in it, each with a data folder of its own, in this process. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningServer } from '../../src/app/compose.ts';
import { aPlace, type Place, startIn } from '../hostile/running-server.ts';

export interface Member {
  readonly url: string;
  readonly place: Place;
  close(): Promise<void>;
}

export interface Cluster {
  /** Of the lake, unless it is in a bucket. */
  readonly lake: string;
  /** `settings` as in `lakeward.yaml`. */
  start(roles: readonly string[], settings?: Record<string, object>): Promise<Member>;
  /** A place of one more member, not started. */
  place(roles: readonly string[], settings?: Record<string, object>): Promise<Place>;
  dispose(): Promise<void>;
}

export interface ClusterOptions {
  readonly bootstrap: string;
  /** As in `lakeward.yaml`; default a folder that all members share. */
  readonly lake?: object;
  readonly env?: Record<string, string>;
}

export async function aCluster({ bootstrap, lake, env = {} }: ClusterOptions): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), 'lakeward-cluster-'));
  const shared = { folder: join(folder, 'lake') };
  const places: Place[] = [];
  const running: RunningServer[] = [];

  async function place(roles: readonly string[], settings: Record<string, object> = {}): Promise<Place> {
    const made = await aPlace({
      roles,
      catalog: { place: 'lake' },
      broker: { kafka: { bootstrap: [bootstrap] } },
      ...settings,
      lake: { ...(lake === undefined ? shared : { folder: null, ...lake }) },
    });
    places.push(made);
    return made;
  }

  return {
    lake: shared.folder,
    place,
    async start(roles, settings) {
      const at = await place(roles, settings);
      const server = await startIn(at, env);
      running.push(server);
      return { url: server.address.url, place: at, close: () => server.close('test over') };
    },
    async dispose() {
      await Promise.all(running.map((server) => server.close('test over')));
      for (const one of places) await one.dispose();
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

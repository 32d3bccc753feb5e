/** A whole server with a key, `ours`, to encrypt with, and its HTTP API for set-ups. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { start, temporaryFolder } from './temporary-server.ts';

export interface KeyedServer {
  readonly folder: string;
  readonly url: string;
  /** Throws for any answer that is not one of success. */
  readonly post: (path: string, body: unknown) => Promise<unknown>;
  readonly close: () => Promise<void>;
}

export async function keyedServer(): Promise<KeyedServer> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'key'), Buffer.alloc(32, 7).toString('hex'));
  await writeFile(join(folder, 'lakeward.yaml'), 'lake: { keys: [{ id: ours, file: key }] }');
  const server = await start(folder);
  const { url } = server.address;
  return {
    folder,
    url,
    async post(path, body) {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
      const answer: unknown = await response.json();
      if (response.status >= 300) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`);
      return answer;
    },
    async close() {
      await server.close('test over');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

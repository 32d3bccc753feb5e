/** The server of the demo: on a free port of this machine, everything below one folder, quiet. */
import { join } from 'node:path';
import type { Config } from '../config/load.ts';
import { loadConfig } from '../config/load.ts';

export { startServer } from './compose.ts';

/** The configuration file and the environment play no part: a demo is the same everywhere. */
export async function demoConfig(folder: string): Promise<Config> {
  const flags = {
    host: '127.0.0.1',
    port: '0',
    data: join(folder, 'data'),
    lake: join(folder, 'lake'),
    'log-level': 'warn',
  };
  return loadConfig({ flags, env: {}, workingFolder: folder });
}

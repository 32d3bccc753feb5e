/**
 * Who may listen where: without keys only this machine may reach the server, unless the operator says that it is open.
 */
import { isIP } from 'node:net';
import { LakewardError } from '../../model/errors.ts';
import type { ServerConfig } from '../server-options.ts';

/** Throws `config-invalid` for an address that others can reach while nobody needs a key. */
export function checkListening({ host, open, keys }: Pick<ServerConfig, 'host' | 'open' | 'keys'>): void {
  if (open || keys.length > 0 || isLoopback(host)) return;
  throw new LakewardError(
    'config-invalid',
    `the server would listen on ${host} without keys; configure server.keys, or set server.open to true to let anybody in`,
    {
      details: {
        problems: [{ path: 'server.host', value: host, accepted: 'a loopback address, or any with keys or open' }],
      },
    },
  );
}

/**
 * While nobody needs a key, a request must name this machine in its `Host`: a web page that lets its own name point here would come
 * with that name, and reach the streams of whoever visits it. Throws `unauthorized`.
 */
export function checkHost(authority: string | undefined, { open, keys }: Pick<ServerConfig, 'open' | 'keys'>): void {
  if (open || keys.length > 0) return;
  const name = (authority ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  if (name === '' || isLoopback(name.toLowerCase())) return;
  throw new LakewardError(
    'unauthorized',
    `without keys only requests to this machine by a loopback name are served, not to '${name.slice(0, 100)}'; configure server.keys or set server.open`,
  );
}

function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1';
}

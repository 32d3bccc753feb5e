/** The lake as a whole in the control API: a file's bytes, links, lifecycle rules, the report. */
import { LakewardError } from '../../model/errors.ts';
import { MIB } from '../../model/limits.ts';
import { parseDurationMs } from '../../model/units.ts';
import type { LakeDesk } from '../../ports/lake-desk.ts';
import { checkNames, integerIn } from './query-value.ts';
import type { Call, Route } from './route.ts';

/** Bytes of one answer; a reader goes on behind them. */
const PART_BYTES_MAX = 8 * MIB;
const URL_MS_MAX = 7 * 86_400_000;
const DEPTH_MAX = 16;

export function lakeRoutes(desk: LakeDesk): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/lake/file',
      handle: async ({ query, signal }) => {
        checkNames(Object.keys(query), ['path', 'offset', 'length']);
        const offset = integerIn(query, { name: 'offset', fallback: 0, min: 0, max: Number.MAX_SAFE_INTEGER });
        const length = integerIn(query, { name: 'length', fallback: PART_BYTES_MAX, min: 1, max: PART_BYTES_MAX });
        const body = await desk.read(pathOf(query), { offset, length, signal });
        return { type: 'application/octet-stream', body };
      },
    },
    {
      method: 'GET',
      path: '/v1/lake/url',
      handle: async ({ query, signal }) => {
        checkNames(Object.keys(query), ['path', 'expires']);
        const expiresMs = parseDurationMs(query['expires'] ?? '1h') ?? 0;
        if (expiresMs < 1000 || expiresMs > URL_MS_MAX) {
          throw new LakewardError('argument-invalid', 'expires is a duration from 1s to 7d');
        }
        return { body: { url: await desk.url(pathOf(query), { expiresMs, signal }), expiresMs } };
      },
    },
    {
      method: 'GET',
      path: '/v1/lake/lifecycle',
      handle: async ({ signal }) => ({ body: await desk.lifecycle({ signal }) }),
    },
    {
      method: 'POST',
      path: '/v1/lake/lifecycle',
      handle: async ({ signal }) => ({ body: await desk.applyLifecycle({ signal }) }),
    },
    {
      method: 'POST',
      path: '/v1/lake/restore',
      bodySchema: {
        type: 'object',
        properties: { prefix: { type: 'string' }, sinceMs: { type: 'integer' }, dryRun: { type: 'boolean' } },
        required: ['prefix'],
        additionalProperties: false,
      },
      handle: async ({ body, signal }) => {
        const { prefix, sinceMs = 0, dryRun = false } = body as { prefix: string; sinceMs?: number; dryRun?: boolean };
        return { body: await desk.restore({ prefix, sinceMs, dryRun, signal }) };
      },
    },
    {
      method: 'GET',
      path: '/v1/lake/report',
      handle: async ({ query, signal }) => {
        checkNames(Object.keys(query), ['depth']);
        const depth = integerIn(query, { name: 'depth', fallback: 1, min: 0, max: DEPTH_MAX });
        return { body: { rows: await desk.report({ depth, signal }) } };
      },
    },
  ];
}

function pathOf(query: Call['query']): string {
  const { path } = query;
  if (path !== undefined && path !== '') return path;
  throw new LakewardError('argument-invalid', 'path is missing: which file of the lake?');
}

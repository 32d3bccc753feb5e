/** The care of a delivery's files in the control API. A run takes its time: it is begun by a request and looked at by others. */
import { LakewardError } from '../../model/errors.ts';
import { LIMITS } from '../../model/limits.ts';
import { parseDurationMs } from '../../model/units.ts';
import type { CareOrder, LakeCare } from '../../ports/lake-care.ts';
import type { Call, Route } from './route.ts';

/** Of one request to erase. */
const VALUES_MAX = 10_000;
const VALUE_CHARS_MAX = 1024;
const BY_CHARS_MAX = 200;
/** Lost files of one request, which are one entry of the landing log. */
const LOST_MAX = 500;
/** A copy inside a store may take minutes. */
const STRAY_MS_MIN = 3_600_000;
const PATH = '/v1/deliveries/:name/care';

export function careRoutes(care: LakeCare): Route[] {
  return [
    { method: 'GET', path: PATH, handle: (call) => ({ body: care.look(nameOf(call)) }) },
    {
      method: 'POST',
      path: PATH,
      bodyBytesMax: LIMITS.bodyBytesMax,
      handle: async (call) => ({
        status: 202,
        body: await care.begin(nameOf(call), orderOf(call.body), { signal: call.signal }),
      }),
    },
    { method: 'DELETE', path: PATH, handle: async (call) => ({ body: await care.cancel(nameOf(call)) }) },
  ];
}

function nameOf({ parameters }: Call): string {
  return parameters['name'] ?? '';
}

type Given = Readonly<Record<string, unknown>>;

const READERS: Readonly<Record<CareOrder['kind'], (given: Given) => CareOrder>> = {
  expire(given) {
    only(given, ['olderThan', 'dryRun']);
    const { olderThan } = given;
    const dryRun = flag(given, 'dryRun');
    if (olderThan === undefined) return { kind: 'expire', dryRun };
    const olderThanMs = typeof olderThan === 'string' ? parseDurationMs(olderThan) : undefined;
    if (olderThanMs === undefined) throw new LakewardError('argument-invalid', 'olderThan is a duration such as 400d');
    return { kind: 'expire', olderThanMs, dryRun };
  },
  check(given) {
    only(given, ['deep']);
    return { kind: 'check', deep: flag(given, 'deep') };
  },
  repair(given) {
    only(given, ['straysOlderThan', 'acceptLoss', 'dryRun']);
    const { straysOlderThan } = given;
    const order = { kind: 'repair' as const, ...lossIn(given), dryRun: flag(given, 'dryRun') };
    if (straysOlderThan === undefined) return order;
    const olderMs = typeof straysOlderThan === 'string' ? parseDurationMs(straysOlderThan) : undefined;
    if (olderMs === undefined || olderMs < STRAY_MS_MIN) {
      throw new LakewardError('argument-invalid', 'straysOlderThan is a duration of at least 1h, such as 7d');
    }
    return { ...order, straysOlderThanMs: olderMs };
  },
  erase(given) {
    only(given, ['field', 'values', 'by', 'dryRun']);
    const { field, values, by } = given;
    if (typeof field !== 'string' || field.split('.').includes('')) {
      throw new LakewardError('argument-invalid', 'field is the name of a column; a.b reaches into objects');
    }
    const texts = Array.isArray(values) ? (values as unknown[]).filter((value) => typeof value === 'string') : [];
    const fits = texts.every((value) => value !== '' && value.length <= VALUE_CHARS_MAX && !value.includes('\0'));
    if (texts.length === 0 || texts.length !== (values as unknown[]).length || texts.length > VALUES_MAX || !fits) {
      const told = `values are 1 to ${VALUES_MAX} texts of 1 to ${VALUE_CHARS_MAX} characters`;
      throw new LakewardError('argument-invalid', told);
    }
    return { kind: 'erase', field, values: texts, by: whoIn(by), dryRun: flag(given, 'dryRun') };
  },
};

function lossIn({ acceptLoss }: Given): {
  readonly acceptLoss?: { readonly paths: readonly string[]; readonly by: string };
} {
  if (acceptLoss === undefined) return {};
  const { paths, by } = (typeof acceptLoss === 'object' && acceptLoss !== null ? acceptLoss : {}) as Given;
  const all = Array.isArray(paths) ? (paths as unknown[]) : [];
  const texts = all.filter((path) => typeof path === 'string');
  if (texts.length === 0 || texts.length !== all.length || texts.length > LOST_MAX) {
    throw new LakewardError('argument-invalid', `acceptLoss is {paths, by}, with 1 to ${LOST_MAX} paths of lost files`);
  }
  return { acceptLoss: { paths: texts, by: whoIn(by) } };
}

function whoIn(by: unknown): string {
  if (typeof by === 'string' && by !== '' && by.length <= BY_CHARS_MAX) return by;
  throw new LakewardError('argument-invalid', 'by says who asks, for the record');
}

function orderOf(body: unknown): CareOrder {
  const given = (typeof body === 'object' && body !== null ? body : {}) as Given;
  const { kind } = given;
  if (typeof kind === 'string' && Object.hasOwn(READERS, kind)) return READERS[kind as CareOrder['kind']](given);
  throw new LakewardError('argument-invalid', `kind is one of ${Object.keys(READERS).join(', ')}`);
}

function only(given: Given, names: readonly string[]): void {
  const other = Object.keys(given).find((name) => name !== 'kind' && !names.includes(name));
  if (other === undefined) return;
  throw new LakewardError('argument-invalid', `there is no '${other}' here; ${names.join(', ')} are accepted`);
}

function flag(given: Given, name: string): boolean {
  const value = given[name] ?? false;
  if (typeof value === 'boolean') return value;
  throw new LakewardError('argument-invalid', `${name} is true or false`);
}

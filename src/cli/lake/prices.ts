/**
 * What a lake on S3 costs, by a small table of list prices (US East, N. Virginia; on demand, US dollars) as they were on 2025-11-01.
 * They change, differ by region and leave out traffic, retrieval, minimum days and key requests: an estimate, to be replaced by one's own
 * table (`--prices`). Pure.
 */

export interface Prices {
  /** Day the table was made. */
  readonly asOf: string;
  readonly currency: string;
  /** A GiB and month by storage class. */
  readonly gibMonth: Readonly<Record<string, number>>;
  /** A thousand requests by operation; those not named cost nothing. */
  readonly thousandRequests: Readonly<Record<string, number>>;
}

export const LIST_PRICES: Prices = {
  asOf: '2025-11-01',
  currency: 'USD',
  gibMonth: {
    STANDARD: 0.023,
    INTELLIGENT_TIERING: 0.023,
    STANDARD_IA: 0.0125,
    ONEZONE_IA: 0.01,
    GLACIER_IR: 0.004,
    GLACIER: 0.0036,
    DEEP_ARCHIVE: 0.00099,
  },
  thousandRequests: {
    PutObject: 0.005,
    CopyObject: 0.005,
    ListObjectsV2: 0.005,
    GetObject: 0.0004,
    HeadObject: 0.0004,
  },
};

const GIB = 2 ** 30;
const DAYS_PER_MONTH = 365 / 12;

/** What bytes of a class cost in a day; nothing where the table does not know the class. */
export function storagePerDay(prices: Prices, storageClass: string, bytes: number): number {
  return ((prices.gibMonth[storageClass] ?? 0) * (bytes / GIB)) / DAYS_PER_MONTH;
}

export function requestsPerDay(prices: Prices, operation: string, requestsADay: number): number {
  return ((prices.thousandRequests[operation] ?? 0) * requestsADay) / 1000;
}

/** A table as a person writes it, over the built-in one; undefined when it is none. */
export function pricesOf(value: unknown): Prices | undefined {
  if (!isTable(value)) return undefined;
  const { asOf = 'unknown', currency = 'USD', gibMonth = {}, thousandRequests = {} } = value;
  if (typeof asOf !== 'string' || typeof currency !== 'string') return undefined;
  if (!isPrices(gibMonth) || !isPrices(thousandRequests)) return undefined;
  return {
    asOf,
    currency,
    gibMonth: { ...LIST_PRICES.gibMonth, ...gibMonth },
    thousandRequests: { ...LIST_PRICES.thousandRequests, ...thousandRequests },
  };
}

/** Requests by operation out of the text of `/metrics`, answered or not: a provider bills those that failed by our fault too. */
export function requestsIn(exposition: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [, labels = '', count = ''] of exposition.matchAll(/^lakeward_lake_requests_total\{([^}]*)\} (\S+)$/gm)) {
    const operation = /operation="([^"]*)"/.exec(labels)?.[1];
    if (operation !== undefined) found.set(operation, (found.get(operation) ?? 0) + Number(count));
  }
  return found;
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPrices(value: unknown): value is Readonly<Record<string, number>> {
  return isTable(value) && Object.values(value).every((price) => typeof price === 'number' && price >= 0);
}

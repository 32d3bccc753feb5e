/**
 * The data set that travels with the package: all flights of one day, in order of departure. From it the demo makes three groups: what
 * arrives in time, what arrives late on purpose, and records that are broken on purpose. See `schemas/demo/README.md` for the source.
 */
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';

const FILE = new URL('../../../schemas/demo/flights-2001-06-29.ndjson.gz', import.meta.url);
/** Every n-th flight of the early hours comes late. */
const LATE_EVERY = 20;
const LATE_UNTIL = '2001-06-29T12:00';

export interface FlightGroups {
  /** JSON texts. */
  readonly inTime: readonly string[];
  readonly late: readonly string[];
  /** Lands with its odd value kept aside in `_extra`. */
  readonly odd: readonly string[];
  readonly broken: readonly { readonly key: string; readonly data: Uint8Array; readonly why: string }[];
}

export async function flightGroups(): Promise<FlightGroups> {
  const lines = gunzipSync(await readFile(FILE))
    .toString('utf8')
    .split('\n')
    .filter(Boolean);
  const inTime: string[] = [];
  const late: string[] = [];
  for (const [index, line] of lines.entries()) {
    const departure = (JSON.parse(line) as { departure: string }).departure;
    (index % LATE_EVERY === 0 && departure < LATE_UNTIL ? late : inTime).push(line);
  }
  return { inTime, late, odd: [ODD], broken: BROKEN };
}

const ODD = JSON.stringify({
  flight_id: 'odd-1',
  departure: '2001-06-29T09:30:00Z',
  origin: 'SFO',
  destination: 'JFK',
  distance_miles: 2586,
  delay_minutes: 'about an hour',
});

const bytes = (text: string): Uint8Array => Buffer.from(text);
const flight = (id: string, departure: unknown): Uint8Array =>
  bytes(
    JSON.stringify({
      flight_id: id,
      departure,
      origin: 'SFO',
      destination: 'JFK',
      distance_miles: 2586,
      delay_minutes: 1,
    }),
  );

const BROKEN: FlightGroups['broken'] = [
  { key: 'broken', data: bytes('{"flight_id":"broken-1","departure":"2001-06'), why: 'cut off in the middle' },
  { key: 'broken', data: bytes('[1, 2, 3]'), why: 'an array, no object' },
  { key: 'broken', data: Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d), why: 'no UTF-8' },
  { key: 'broken', data: flight('broken-4', undefined), why: 'no departure' },
  { key: 'broken', data: flight('broken-5', 'yesterday'), why: 'a departure that is no time' },
  { key: 'broken', data: flight('broken-6', '2099-01-01T00:00:00Z'), why: 'a departure far in the future' },
];

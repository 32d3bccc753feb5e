/**
 * Where the lake lies and how it is reached: a folder, or a bucket with everything around it that a store over a network needs. Stores
 * of one place share their connection, the bound on their calls and their pace, so that one more store costs nothing.
 */
import type { LakeConfig, S3LakeConfig } from '../config/load.ts';
import { encryptingStore } from '../lake/encrypt/encrypting-store.ts';
import type { KeyRing } from '../lake/encrypt/key-ring.ts';
import { openFileStore } from '../lake/file/file-store.ts';
import type { BucketTools } from '../lake/s3/bucket-tools.ts';
import type { S3Connection } from '../lake/s3/s3-client.ts';
import { countingStore } from '../lake/wrap/counting-store.ts';
import { callLimit, limitedStore } from '../lake/wrap/limited-store.ts';
import { retryingStore } from '../lake/wrap/retrying-store.ts';
import { storePace } from '../lake/wrap/store-pace.ts';
import type { Clock } from '../ports/clock.ts';
import type { LakeStore } from '../ports/lake-store.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { certificateFile } from './certificate-file.ts';

/** Connections to the store, and those that one delivery's files can take. */
const CALLS = { total: 64, perPrefix: 48 };

export interface LakePlace {
  /** A folder, or `s3://bucket/prefix`: for people, and the name the data folder remembers the lake by. */
  readonly location: string;
  readonly guarantee: S3LakeConfig['guarantee'];
  /** Whether the store is asked for its conditions at every start, not at the first alone. */
  readonly probesAlways: boolean;
  /** Opens what all stores share. Throws `lake-unavailable`; to be called again then. */
  open(): Promise<OpenPlace>;
  close(): void;
}

export interface OpenPlace {
  /** What is encrypted in it is decrypted on the way out. */
  store(): LakeStore;
  /** What only a bucket has. */
  readonly tools?: BucketTools;
}

interface Room {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly keys: KeyRing;
}

export function lakePlace(config: LakeConfig, room: Room): LakePlace {
  const place = 'folder' in config ? folderPlace(config.folder, room) : bucketPlace(config.s3, room);
  const label = room.telemetry.gauge({
    name: 'lakeward_lake_exactly_once',
    help: '1 when landing in the lake is exactly-once, 0 when the configuration lets it be at-least-once.',
  });
  label.set(place.guarantee === 'exactly-once' ? 1 : 0);
  return place;
}

function folderPlace(folder: string, { clock, telemetry, keys }: Room): LakePlace {
  return {
    location: folder,
    guarantee: 'exactly-once',
    probesAlways: false,
    async open() {
      const store = encryptingStore(countingStore(await openFileStore({ folder, clock }), { clock, telemetry }), keys);
      return { store: () => store };
    },
    close: () => undefined,
  };
}

function bucketPlace(config: S3LakeConfig, { clock, telemetry, keys }: Room): LakePlace {
  const { bucket, prefix, guarantee } = config;
  const limit = callLimit(CALLS);
  const pace = storePace(clock);
  const ids = keys.keys.flatMap(({ id, raw }) => (raw ? [id] : []));
  const customerKeys = { ids, key: (id: string) => keys.raw(id) };
  let opened: S3Connection | undefined;

  async function connect(): Promise<S3Connection> {
    const { connectS3, countRequests } = await s3();
    const ca = config.ca === undefined ? undefined : await certificateFile(config.ca, 'lake.s3.ca', 'lake-unavailable');
    if (opened !== undefined) return opened;
    opened = connectS3({ ...config, ca });
    countRequests(opened.client, telemetry);
    return opened;
  }

  return {
    location: locationOf(config),
    guarantee,
    // What answers at an address can be another program, or another version, tomorrow.
    probesAlways: true,
    async open() {
      const connection = await connect();
      const { bucketTools, createS3Store } = await s3();
      return {
        tools: bucketTools({ connection, bucket, prefix }),
        store() {
          const bare = createS3Store({ connection, bucket, prefix, clock, customerKeys });
          const counted = countingStore(bare, { clock, telemetry });
          return encryptingStore(retryingStore(limitedStore(counted, limit), { clock, telemetry, pace }), keys);
        },
      };
    },
    close: () => opened?.close(),
  };
}

/** The S3 library takes a while to load: only who has a lake in a bucket waits for it. */
async function s3() {
  const { bucketTools } = await import('../lake/s3/bucket-tools.ts');
  const { countRequests } = await import('../lake/s3/request-metrics.ts');
  const { connectS3 } = await import('../lake/s3/s3-client.ts');
  const { createS3Store } = await import('../lake/s3/s3-store.ts');
  return { bucketTools, countRequests, connectS3, createS3Store };
}

/** The address tells equal names at different stores apart. */
function locationOf({ bucket, prefix = '', endpoint }: S3LakeConfig): string {
  const path = `s3://${bucket}/${prefix.replace(/\/$/, '')}`.replace(/\/$/, '');
  return endpoint === undefined ? path : `${path} at ${endpoint.replace(/\/$/, '')}`;
}

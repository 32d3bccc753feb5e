/** What the two describing actions tell of a stream alike. */
import type { StreamDocument } from '../../model/stream.ts';
import { arnOf } from './stream-address.ts';

const HOUR_MS = 3_600_000;

export function streamFacts({ name, retentionMs, createdMs, reshard }: StreamDocument): object {
  return {
    StreamName: name,
    StreamARN: arnOf(name),
    StreamStatus: reshard === undefined ? 'ACTIVE' : 'UPDATING',
    StreamModeDetails: { StreamMode: 'PROVISIONED' },
    RetentionPeriodHours: Math.floor(retentionMs / HOUR_MS),
    StreamCreationTimestamp: createdMs / 1000,
    EnhancedMonitoring: [{ ShardLevelMetrics: [] }],
    EncryptionType: 'NONE',
  };
}

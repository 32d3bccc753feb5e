/**
 * What the Kafka client's errors mean to a caller of the broker. A failed or timed-out produce request may have been stored all the
 * same: the records are told as failed, and a client that sends them again may see them twice, as with Kinesis.
 */
import { GenericError, MultipleErrors, ProtocolError, protocolErrorsCodesById } from '@platformatic/kafka';
import { LakewardError } from '../../model/errors.ts';

/** Codes of the Kafka protocol that this broker acts on. */
export const KAFKA = {
  offsetOutOfRange: 1,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  requestTimedOut: 7,
  brokerNotAvailable: 8,
  networkException: 13,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  topicAlreadyExists: 36,
  storageError: 56,
  fencedLeaderEpoch: 74,
  unknownLeaderEpoch: 75,
  unknownTopicId: 100,
} as const;

/** After these a fresh look at the cluster helps. */
export const STALE_METADATA: ReadonlySet<number> = new Set([
  KAFKA.unknownTopicOrPartition,
  KAFKA.leaderNotAvailable,
  KAFKA.notLeader,
  KAFKA.fencedLeaderEpoch,
  KAFKA.unknownLeaderEpoch,
  KAFKA.unknownTopicId,
]);

/** After these the same records sent again may be stored, or are. */
export const RETRIABLE: ReadonlySet<number> = new Set([
  ...STALE_METADATA,
  KAFKA.requestTimedOut,
  KAFKA.brokerNotAvailable,
  KAFKA.networkException,
  KAFKA.notEnoughReplicas,
  KAFKA.notEnoughReplicasAfterAppend,
  KAFKA.storageError,
]);

/** What Kafka's documentation calls a code. */
export function kafkaReason(code: number): string {
  return protocolErrorsCodesById[code] ?? `error ${code}`;
}

/** The protocol's code of an error or of one inside it. */
export function kafkaCodes(error: unknown): readonly number[] {
  if (error instanceof ProtocolError) return [Number(error['apiCode'])];
  if (error instanceof MultipleErrors) return error.errors.flatMap(kafkaCodes);
  if (error instanceof GenericError && error.cause !== undefined) return kafkaCodes(error.cause);
  return [];
}

/** The cluster answered, and has no such topic. The client says so in words alone. */
export function isUnknownTopic(error: unknown): boolean {
  return (
    kafkaCodes(error).includes(KAFKA.unknownTopicOrPartition) ||
    (error instanceof GenericError && error.message.startsWith('Unknown topic'))
  );
}

/** Whatever went wrong on the way to Kafka, as an error a caller may meet by sending again. */
export function unreachable(what: string, cause: unknown): LakewardError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new LakewardError('broker-unavailable', `${what}: ${reason}`, { cause });
}

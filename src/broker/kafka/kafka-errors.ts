/**
 * What the Kafka client's errors mean to a caller of the broker. A failed or timed-out produce request may have been stored all the
 * same: the records are told as failed, and a client that sends them again may see them twice, as with Kinesis.
 */
import { GenericError, MultipleErrors, ProtocolError, protocolErrorsCodesById } from '@platformatic/kafka';
import { isLakewardError, LakewardError } from '../../model/errors.ts';

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
  topicAuthorizationFailed: 29,
  clusterAuthorizationFailed: 31,
  unsupportedSaslMechanism: 33,
  topicAlreadyExists: 36,
  storageError: 56,
  saslAuthenticationFailed: 58,
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
  return new LakewardError('broker-unavailable', `${what}: ${reasonOf(cause)}`, { cause });
}

/** What an operator can do about it when that is known; else the innermost of the errors, which names what failed. */
export function reasonOf(error: unknown): string {
  const all = errorsIn(error);
  for (const one of all) {
    const todo = TODO.get(Number((one as { apiCode?: unknown }).apiCode));
    if (todo !== undefined) return todo;
    if (isCertificate(one)) {
      return `its certificate is not trusted (${one.message}); name the authority in broker.kafka.ca`;
    }
  }
  const innermost = all.at(-1)?.message ?? String(error);
  if (innermost !== 'Connection closed') return innermost;
  return 'it closed the connection; does it ask for TLS (broker.kafka.tls) or for a user (broker.kafka.sasl)?';
}

/** The cluster may answer later; it did not refuse us for something that is to be set. */
export function isAway(error: unknown): boolean {
  const todo = (one: Error): boolean => TODO.has(Number((one as { apiCode?: unknown }).apiCode)) || isCertificate(one);
  return isLakewardError(error, 'broker-unavailable') && !errorsIn(error).some(todo);
}

function isCertificate(error: Error): boolean {
  return /CERT|_SIGNATURE$|_ISSUER/.test(String((error as { code?: unknown }).code));
}

const DENIED = 'the user of broker.kafka.sasl lacks a right; see Streams on Kafka in the README for which are needed';
const TODO: ReadonlyMap<number, string> = new Map([
  [KAFKA.saslAuthenticationFailed, 'it does not take the user or the password of broker.kafka.sasl'],
  [KAFKA.unsupportedSaslMechanism, 'it does not take the mechanism; set broker.kafka.sasl.mechanism'],
  [KAFKA.topicAuthorizationFailed, DENIED],
  [KAFKA.clusterAuthorizationFailed, DENIED],
]);

/** An error and those inside it, the outermost first; of several tries the last. */
function errorsIn(error: unknown): readonly Error[] {
  const found: Error[] = [];
  for (let one = error; one instanceof Error && found.length < NESTED_MAX; ) {
    found.push(one);
    one = one instanceof MultipleErrors ? one.errors.at(-1) : one.cause;
  }
  return found;
}

const NESTED_MAX = 20;

/**
 * What keeps the streams: the embedded broker in the data folder, or a Kafka cluster. Positions of landing logs count in one broker's
 * offsets, so the catalog says of each stream which topic keeps it, if any, and a server whose streams are elsewhere does not start.
 */
import { openEmbeddedBroker } from '../broker/embedded/embedded-broker.ts';
import type { Config, KafkaConfig } from '../config/load.ts';
import { LakewardError } from '../model/errors.ts';
import type { StreamDocument } from '../model/stream.ts';
import type { Broker } from '../ports/broker.ts';
import type { Clock } from '../ports/clock.ts';
import type { ShardGroups } from '../ports/shard-groups.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { certificateFile } from './certificate-file.ts';
import { dataFolder } from './data-folder.ts';
import { isShared } from './open-catalog.ts';

/** Tells its topics from those of others in the cluster. */
const TOPIC_PREFIX = 'lakeward-';

export interface BrokerPlace {
  readonly broker: Broker;
  /** Whether the broker may answer later. */
  readonly isAway: (error: LakewardError) => boolean;
  /** Absent when no other process lands these streams. */
  readonly groups?: ShardGroups;
  /** Throws `broker-changed` when a stream of the catalog is not kept here. To be asked before any is opened. */
  readonly checkStreams: (streams: Iterable<StreamDocument>) => void;
}

export interface BrokerRoom {
  readonly config: Config;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Whether the data folder is still this process's. */
  readonly owned: () => boolean;
}

export async function openBroker({ config, clock, telemetry, owned }: BrokerRoom): Promise<BrokerPlace> {
  const { kafka } = config;
  if (kafka !== undefined) {
    // Takes a while to load: only who uses it waits for it.
    const { kafkaBroker } = await import('../broker/kafka/kafka-broker.ts');
    const { isAway } = await import('../broker/kafka/kafka-errors.ts');
    const { kafkaShardGroups } = await import('../broker/kafka/shard-group.ts');
    const options = { ...(await connectionOf(kafka)), clock, telemetry };
    return {
      broker: kafkaBroker({ ...options, topicPrefix: TOPIC_PREFIX }),
      isAway,
      ...(isShared(config) && { groups: kafkaShardGroups(options) }),
      checkStreams: (all) => checkAll(all, 'kafka'),
    };
  }
  const broker = await openEmbeddedBroker({
    folder: dataFolder(config.data.folder).streams,
    clock,
    telemetry,
    owned,
    options: {
      segmentBytes: config.log.segmentBytes,
      groupBytes: config.log.groupBytes,
      reserveBytes: config.data.reserveBytes,
    },
  });
  return { broker, isAway: () => false, checkStreams: (all) => checkAll(all, 'embedded') };
}

function checkAll(streams: Iterable<StreamDocument>, configured: 'kafka' | 'embedded'): void {
  for (const { name, topic } of streams) {
    const kept = topic === undefined ? 'embedded' : 'kafka';
    if (kept === configured) continue;
    const todo =
      kept === 'kafka'
        ? 'is kept on Kafka; put broker.kafka back'
        : 'is kept in the data folder, not on Kafka; leave broker.kafka out';
    throw new LakewardError('broker-changed', `stream '${name}' ${todo}, or start with another data folder`);
  }
}

async function connectionOf({ bootstrap, replicas, tls, ca, sasl }: KafkaConfig) {
  return {
    bootstrap,
    ...(replicas !== undefined && { replicas }),
    ...(tls && {
      tls: ca === undefined ? {} : { ca: await certificateFile(ca, 'broker.kafka.ca', 'broker-unavailable') },
    }),
    ...(sasl !== undefined && { sasl }),
  };
}

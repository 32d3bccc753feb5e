/** The Kafka client by itself, as its users use it: what appending records and reading them back costs without Lakeward. */
import { Consumer, Producer } from '@platformatic/kafka';
import type { AppendBatch } from '../../src/model/record-batch.ts';

const READ_BYTES = 8 * 1024 * 1024;

export interface BareClient {
  append(batch: AppendBatch): Promise<unknown>;
  /** Reads the topic from its beginning until as many records are read. */
  readAll(records: number): Promise<void>;
  close(): Promise<void>;
}

export function bareClient(bootstrap: string, topic: string, shards: number): BareClient {
  const producer = new Producer({ clientId: 'bare', bootstrapBrokers: [bootstrap], idempotent: true });
  const consumer = new Consumer({ clientId: 'bare', bootstrapBrokers: [bootstrap], groupId: 'bare' });
  return {
    append({ count, shards: partitions, keys, keyEnds, data, dataEnds }) {
      const [allKeys, allData] = [bufferOf(keys), bufferOf(data)];
      const messages = Array.from({ length: count }, (_, i) => ({
        topic,
        partition: partitions[i] ?? 0,
        key: allKeys.subarray(i === 0 ? 0 : keyEnds[i - 1], keyEnds[i]),
        value: allData.subarray(i === 0 ? 0 : dataEnds[i - 1], dataEnds[i]),
      }));
      return producer.send({ messages });
    },
    async readAll(records) {
      const { topics } = await consumer.metadata({ topics: [topic] });
      const found = topics.get(topic);
      const offsets = Array.from({ length: shards }, () => 0n);
      for (let read = 0; read < records; ) {
        const { responses } = await consumer.fetch({
          node: found?.partitions[0]?.leader ?? 1,
          maxBytes: READ_BYTES,
          minBytes: 0,
          maxWaitTime: 0,
          topics: [
            {
              topicId: found?.id ?? '',
              partitions: offsets.map((fetchOffset, partition) => ({
                partition,
                fetchOffset,
                currentLeaderEpoch: -1,
                lastFetchedEpoch: -1,
                partitionMaxBytes: READ_BYTES / shards,
              })),
            },
          ],
        });
        for (const { partitionIndex, records: batches } of responses.flatMap(({ partitions }) => partitions)) {
          for (const batch of batches ?? []) {
            read += batch.records.length;
            offsets[partitionIndex] = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
          }
        }
      }
    },
    async close() {
      await Promise.allSettled([producer.close(), consumer.close(true)]);
    },
  };
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A Kafka that asks for TLS and a password: who has them is served, others are told at once what is wrong. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { freeLowPort } from '../../infra/dev/s3-server.ts';
import { kafkaBroker } from '../../src/broker/kafka/kafka-broker.ts';
import type { KafkaOptions } from '../../src/broker/kafka/kafka-client.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { asStreamId } from '../../src/model/stream.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { readAll, startOf } from './read-all.ts';
import { describeOnKafka } from './test-kafka.ts';
import { textBatch } from './text-batch.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** Certificate of an authority, and below it of the server, valid for a day. */
function certificates(folder: string): { ca: string; server: string } {
  const at = (name: string): string => join(folder, name);
  const openssl = (...words: string[]) => execFileSync('openssl', words, { stdio: 'ignore' });
  const key = ['-newkey', 'rsa:2048', '-nodes', '-days', '1'];
  openssl('req', '-x509', ...key, '-subj', '/CN=authority', '-keyout', at('ca.key'), '-out', at('ca.pem'));
  const signed = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-addext', 'subjectAltName=IP:127.0.0.1'];
  openssl('req', '-x509', ...key, ...signed, '-subj', '/CN=kafka', '-keyout', at('key.pem'), '-out', at('cert.pem'));
  const server = at('server.pem');
  writeFileSync(server, readFileSync(at('key.pem'), 'utf8') + readFileSync(at('cert.pem'), 'utf8'));
  return { ca: readFileSync(at('ca.pem'), 'utf8'), server };
}

const folder = mkdtempSync(join(tmpdir(), 'lakeward-kafka-tls-'));
const { ca, server } = certificates(folder);
const [port, inner, controllerPort] = [await freeLowPort(), await freeLowPort(), await freeLowPort()];
const listeners = `SASL_SSL://127.0.0.1:${port},INNER://127.0.0.1:${inner}`;
const login = 'org.apache.kafka.common.security';

await describeOnKafka(
  'Kafka with TLS and passwords',
  () => {
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    const id = asStreamId('secured');
    const storage = { id, shardCount: 1, retentionMs: 3_600_000 };
    const connected = (options: Omit<KafkaOptions, 'bootstrap'>, at = port) =>
      kafkaBroker({ clock: systemClock(), telemetry: silentTelemetry(), bootstrap: [`127.0.0.1:${at}`], ...options });

    test.each(['PLAIN', 'SCRAM-SHA-512'] as const)('is used with %s', async (mechanism) => {
      const broker = connected({ tls: { ca }, sasl: { mechanism, username: 'alice', password: 'wonder' } });
      await broker.open(storage);
      const { failures } = await broker.append(id, textBatch([{ shard: 0, key: 'k', data: mechanism }], Date.now()));
      expect(failures).toEqual([]);
      expect((await readAll(broker, id, startOf(1))).records.at(-1)).toMatchObject({ data: mechanism });
      await broker.close();
    });

    const good = { mechanism: 'SCRAM-SHA-512', username: 'alice', password: 'wonder' } as const;
    test.each([
      ['another password', { tls: { ca }, sasl: { ...good, password: 'x' } }, 'user or the password'],
      [
        'another password, plain',
        { tls: { ca }, sasl: { ...good, mechanism: 'PLAIN', password: 'x' } },
        'user or the password',
      ],
      ['a mechanism that is off', { tls: { ca }, sasl: { ...good, mechanism: 'SCRAM-SHA-256' } }, 'sasl.mechanism'],
      ['an authority that is not known', { tls: {}, sasl: good }, 'broker.kafka.ca'],
      ['no TLS', { sasl: good }, 'broker.kafka.tls'],
      ['no password', { tls: { ca } }, 'broker.kafka.sasl'],
    ] as const)('says at once what is wrong with %s', async (_, options, words) => {
      const broker = connected(options);
      const fromMs = performance.now();
      await expect(broker.open(storage)).rejects.toMatchObject({
        code: 'broker-unavailable',
        message: expect.stringContaining(words) as string,
      });
      expect(performance.now() - fromMs).toBeLessThan(15_000);
      await broker.close();
    });
  },
  {
    node: { id: 1, port, controllerPort, voters: [`1@127.0.0.1:${controllerPort}`] },
    users: { alice: 'wonder' },
    properties: {
      listeners: `${listeners},CONTROLLER://127.0.0.1:${controllerPort}`,
      'advertised.listeners': listeners,
      'inter.broker.listener.name': 'INNER',
      'listener.security.protocol.map': 'SASL_SSL:SASL_SSL,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': server,
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
      'listener.name.sasl_ssl.plain.sasl.jaas.config': `${login}.plain.PlainLoginModule required user_alice="wonder";`,
      'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
    },
  },
);

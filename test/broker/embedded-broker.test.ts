import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedBroker } from '../../src/broker/embedded/embedded-broker.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { brokerSuite } from '../conformance/broker.suite.ts';
import { powerCutFileSystem } from '../faults/power-cut-file-system.ts';

const capabilities = { durable: true, pendingExact: true };

brokerSuite({
  name: 'embedded',
  capabilities,
  storage: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lakeward-broker-'));
    return {
      open: (clock) =>
        openEmbeddedBroker({ folder, clock, telemetry: silentTelemetry(), options: { reserveBytes: 0 } }),
      cleanUp: () => rm(folder, { recursive: true, force: true }),
    };
  },
});

brokerSuite({
  name: 'embedded, of tiny segments,',
  capabilities,
  storage: async () => {
    const fileSystem = powerCutFileSystem(1);
    const options = { reserveBytes: 0, segmentBytes: 400, groupBytes: 100 };
    return {
      open: (clock) => openEmbeddedBroker({ folder: '/log', clock, telemetry: silentTelemetry(), fileSystem, options }),
      cleanUp: async () => {},
    };
  },
});

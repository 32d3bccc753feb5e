import { memoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { brokerSuite } from '../conformance/broker.suite.ts';

brokerSuite({
  name: 'memory',
  capabilities: { durable: false, pendingExact: true },
  storage: async () => ({ open: async (clock) => memoryBroker({ clock }), cleanUp: async () => {} }),
});

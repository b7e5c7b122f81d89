import { createMemoryBroker } from '../../../src/log/memory/broker.ts';
import { logConformance } from '../../conformance/log.ts';

logConformance('memory', async () => {
  const broker = createMemoryBroker();
  return { connect: () => broker.connect(), close: async () => undefined };
});

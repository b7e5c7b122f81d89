import { createKafkaLog } from '../../../src/log/kafka/log.ts';
import { logConformance } from '../../conformance/log.ts';
import { bootstrap } from '../../setup/env.ts';

logConformance('Kafka', async () => ({
  connect: () => createKafkaLog({ brokers: [bootstrap()] }),
  close: async () => undefined,
}));

import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { storeConformance } from '../conformance/store.ts';

storeConformance('memory', (options) => Promise.resolve(createMemoryStore(options)));

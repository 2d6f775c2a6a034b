import type { Store } from './readings.js';
import type { Subject } from './world.js';

/** A store in memory: a MemoryStore, or what is made of one. */
export function memory(open: () => Store): Subject {
  return {
    name: 'MemoryStore',
    abilities: { conditional: true, isShared: true, sweeps: true, references: false, links: true },
    open: async () => open(),
    opening: {
      imports: [`import { MemoryStore } from '../../src/memory.js';`],
      lines: ['const store = new MemoryStore();'],
      hasLinks: true,
    },
  };
}

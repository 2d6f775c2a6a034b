import { inject } from 'vitest';

// Stryker tells by the environment of the process, which workerd does not see.
Object.assign(globalThis, { __stryker__: { activeMutant: inject('mutant') } });

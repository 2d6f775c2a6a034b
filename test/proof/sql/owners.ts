import { OWNERS } from '../../support/owners.js';

/** Whose records the mutated stores keep, and whose, that come first, they must leave alone. */
export const [THEIRS, MINE] = OWNERS['of one column']!;

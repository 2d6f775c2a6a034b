import fc from 'fast-check';

// That a mutant is found is all that is asked; not the least input that finds it.
fc.configureGlobal({ endOnFailure: true });

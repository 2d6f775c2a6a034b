import fc from 'fast-check';

// Each mutant is asked about again, so properties are given less time, and look for no smaller input.
fc.configureGlobal({ endOnFailure: true, interruptAfterTimeLimit: 300 });

import { below, randomOf } from '../chance.js';
import { EQUIVALENT, type Equivalent } from './equivalent.js';
import { knownMutants, Mutant, type Trial, type Trials } from './trials.js';

/** What became of the mutants that were tried. */
export interface Outcome {
  /** How many there are. */
  all: number;
  /** How many of them are known to do the same as the original, for each reason; these are not tried. */
  equivalent: [Equivalent, number][];
  killed: number;
  /** Those that the database takes for no SQL. */
  invalid: string[];
  /** Those that passed every trial. */
  survived: string[];
}

/** A trial, and what the right statements have told about it. */
interface Known {
  trial: Trial;
  texts: string[];
  refusals: number;
  kills: number;
  milliseconds: number;
}

/** Where a mutant is found. */
interface Target {
  trials: Known[];
  texts: Set<string>;
}

/** How long a trial may take, before it is said to fail. */
const PATIENCE_MS = 60_000;

/** Tries so many of the mutants, chosen by a seed. */
export async function mutate(
  { language, trials, takes }: Trials,
  { count, seed }: { count: number; seed: number },
): Promise<Outcome> {
  const targets = await findTargets(trials, language);
  const all = [...targets.keys()];
  const equivalent = EQUIVALENT[language].map((each): [Equivalent, number] => [
    each,
    all.filter((key) => each.mutants.test(key)).length,
  ]);
  const outcome: Outcome = { all: all.length, equivalent, killed: 0, invalid: [], survived: [] };
  const others = all.filter((key) => !equivalent.some(([{ mutants }]) => mutants.test(key)));
  for (const key of shuffled(others, seed).slice(0, count)) {
    const target = targets.get(key) as Target;
    const mutant = new Mutant(language, key);
    const isSql = await isTakenBy(takes, mutant, target.texts);
    const killer = isSql ? await findKiller(mutant, target.trials) : undefined;
    if (killer) {
      killer.kills += 1;
      outcome.killed += 1;
    } else {
      const list = mutant.isExecuted ? outcome.survived : outcome.invalid;
      list.push(key);
    }
  }
  return outcome;
}

/** Finds the mutants of all that is sent in these trials, none of which goes wrong yet. */
async function findTargets(
  trials: Trial[],
  language: Trials['language'],
): Promise<Map<string, Target>> {
  const targets = new Map<string, Target>();
  for (const trial of trials) {
    const right = new Mutant(language);
    const start = performance.now();
    await trial.run(right);
    const milliseconds = performance.now() - start;
    const texts = [...right.seen].filter((text) => knownMutants(text, language).size > 0);
    const known: Known = { trial, texts, refusals: right.refusals, kills: 0, milliseconds };
    for (const text of texts) {
      for (const key of knownMutants(text, language).keys()) {
        const target = targets.get(key) ?? { trials: [], texts: new Set() };
        if (target.trials.at(-1) !== known) target.trials.push(known);
        target.texts.add(text);
        targets.set(key, target);
      }
    }
  }
  return targets;
}

/** Whether the database takes any of these statements when it is mutated. */
async function isTakenBy(
  takes: Trials['takes'],
  mutant: Mutant,
  texts: Iterable<string>,
): Promise<boolean> {
  for (const text of texts) {
    const rendered = mutant.of(text);
    if (rendered && (await takes(rendered.text))) return true;
  }
  return false;
}

/** Tries until something goes wrong: first what has gone wrong most often in its time. */
async function findKiller(mutant: Mutant, trials: Known[]): Promise<Known | undefined> {
  const promise = ({ kills, milliseconds }: Known) => (1 + kills) / (20 + milliseconds);
  const order = trials.toSorted((a, b) => promise(b) - promise(a));
  for (const known of order) {
    const isMutated = known.texts.some((text) => mutant.of(text) !== undefined);
    if (!isMutated) continue;
    mutant.refusals = 0;
    const isPassed = await passes(known.trial, mutant);
    if (!isPassed || mutant.refusals > known.refusals) return known;
  }
  return undefined;
}

async function passes({ run }: Trial, mutant: Mutant): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const never = new Promise<void>((_, reject) => {
    timer = setTimeout(() => reject(new Error('takes too long')), PATIENCE_MS);
  });
  try {
    await Promise.race([run(mutant), never]);
    return true;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/** The same in an order of their own for each seed: https://en.wikipedia.org/wiki/Fisher–Yates_shuffle */
function shuffled<T>(list: T[], seed: number): T[] {
  const all = [...list];
  const random = randomOf(seed);
  for (let last = all.length - 1; last > 0; last -= 1) {
    const other = below(last + 1, random);
    [all[last], all[other]] = [all[other] as T, all[last] as T];
  }
  return all;
}

// Who has run how often? Runs are added, a batch at a time, to every world that is shown, as long as nobody touches
// anything, and kept, so that a world that comes back is there at once.
// In: the worlds that are shown. Out: for each its values run by run; `changed` is called after every batch.

const FIRST_RUNS = 200;
const BATCH = 200;
const MOST_RUNS = 2000;
const RECORD_RUNS = 100;
const MOST_KEPT = 24; // worlds whose runs are kept; the one that was used longest ago goes first

class Runs {
  constructor(engine, changed, failed) {
    Object.assign(this, { engine, changed, failed, weights: new Weights(engine, engine.meta), weighed: () => {} });
    this.kept = new Map();
    this.wanted = [];
    this.round = 0;
    this.busy = false;
    this.limit = MOST_RUNS;
  }

  /** These worlds are shown: [{world, seed, years}], the most pressing first. */
  want(list) {
    this.round += 1;
    this.wanted = list;
    if (this.busy) this.engine.cancel?.();
    else this.work();
  }

  of({ world, seed, years }) {
    const key = `${seed}|${years}|${keyOf(world)}`;
    const entry = this.kept.get(key) ?? { key, n: 0, outcomes: {}, record: null, recordRuns: 0, capped: 0, blame: null,
      median: null, stability: null, fault: null };
    this.kept.delete(key);
    this.kept.set(key, entry);
    for (const old of this.kept.keys()) {
      if (this.kept.size <= MOST_KEPT) break;
      this.kept.delete(old);
    }
    return entry;
  }

  /** One batch after the other until all have what they may have; a new wish is heeded after every batch. */
  async work() {
    this.busy = true;
    try {
      for (let next = this.next(); next; next = this.next()) await this.batch(next);
    } finally {
      this.busy = false;
    }
  }

  /** First a first batch for everyone, then nearness to the brink, levers to be weighed, more for whoever has fewest. */
  next() {
    const jobs = this.wanted.map((one) => ({ ...one, entry: this.of(one) })).filter((job) => !job.entry.fault);
    const unseen = jobs.find((job) => job.entry.n === 0);
    if (unseen) return unseen;
    const lines = this.engine.meta.record ?? [];
    const unheld = lines.length ? jobs.find((job) => job.entry.record === null) : undefined;
    const unweighed = jobs.find((job) => job.entry.stability === null && this.engine.stability);
    if (unweighed) return { ...unweighed, weigh: true };
    if (unheld) return { ...unheld, hold: true };
    if (jobs.length && !this.weights.done) return { lever: true };
    const short = jobs.filter((job) => job.entry.n < this.limit).sort((a, b) => a.entry.n - b.entry.n);
    return short[0] ?? null;
  }

  async batch({ world, seed, years, entry, weigh, lever, hold }) {
    const round = this.round;
    if (lever) {
      await this.weights.next();
      this.weighed();
      return await pause();
    }
    try {
      if (hold) await this.holdAgainstRecord({ world, seed, years, entry });
      else if (weigh) entry.stability = (await this.engine.stability(editsOf(world))) ?? {};
      else {
        const replicates = entry.n === 0 ? FIRST_RUNS : Math.min(BATCH, this.limit - entry.n);
        const found = await this.engine.run({ world: editsOf(world), replicates, recorded: 0, first: entry.n, years, seed });
        if (!found) return await pause();
        taken(entry, found);
      }
    } catch (error) {
      if (error.name === "AbortError") return await pause();
      if (hold) entry.record = {};
      else if (weigh) entry.stability = {};
      else entry.fault = error.message;
      this.failed(world, error);
    }
    this.changed();
    if (round === this.round) await pause(); // the page draws, listens, and only then goes on
    return undefined;
  }

  /** The record's lines over histories as long as the record: one batch, apart from the others, which are faster. */
  async holdAgainstRecord({ world, seed, years, entry }) {
    const asked = { world: editsOf(world), replicates: RECORD_RUNS, first: 0, years, seed };
    const found = await this.engine.run(asked);
    if (found) Object.assign(entry, { record: found.record ?? {}, recordRuns: RECORD_RUNS });
  }

  /** Whether everything that is shown has all the runs that it will get. */
  get done() {
    return this.next() === null;
  }
}

function pause() {
  return new Promise((go) => setTimeout(go, 0));
}

function taken(entry, found) {
  const first = entry.n === 0;
  for (const [id, values] of Object.entries(found.outcomes)) {
    const before = entry.outcomes[id];
    const joined = new Float64Array((before?.length ?? 0) + values.length);
    if (before) joined.set(before);
    joined.set(values, before?.length ?? 0);
    entry.outcomes[id] = joined;
  }
  entry.n += found.replicates;
  entry.capped += found.capped ?? 0;
  entry.blame = entry.blame ?? found.blame ?? null;
  if (!first) return;
  entry.median = found.median ?? 0;
  if (found.record && Object.keys(found.record).length) {
    Object.assign(entry, { record: found.record, recordRuns: Math.min(RECORD_RUNS, entry.n) });
  }
}

/** Values of an outcome run by run, over the first n runs; null where there are none. */
function valuesOf(entry, outcome, n) {
  if (outcome.ratio) {
    const [top, bottom] = outcome.ratio.map((id) => entry.outcomes[id]?.subarray(0, n));
    return top && bottom && top.length ? linearised(top, bottom) : null;
  }
  const values = entry.outcomes[outcome.id]?.subarray(0, n);
  return values?.length ? values : null;
}

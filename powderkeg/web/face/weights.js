// Which levers move most? Where the model does not bring that along, each lever is tried at both ends of its range on
// the same chance, a few short runs, while nobody touches anything.
// In: the levers. Out: `moves` of each lever: outcome to change from low to high, less what chance alone may have done.

const TRIAL_RUNS = 40;
const TRIAL_YEARS = 5;

class Weights {
  constructor(engine, meta) {
    Object.assign(this, { engine, meta });
    this.left = meta.levers.filter((lever) => !lever.moves || !Object.keys(lever.moves).length);
    this.all = this.left.length;
  }

  get done() {
    return this.left.length === 0;
  }

  /** Try one more lever. One that cannot be tried moves nothing. */
  async next() {
    const lever = this.left[0];
    const trial = { replicates: TRIAL_RUNS, recorded: 0, first: 0, years: Math.min(TRIAL_YEARS, this.meta.years), seed: this.meta.seed };
    const ends = [];
    try {
      for (const value of [lever.low, lever.high]) {
        const found = await this.engine.run({ ...trial, world: { set: { [lever.path]: value }, on: [], off: [] } });
        if (!found) return;
        ends.push({ ...found, n: found.replicates });
      }
      lever.moves = this.between(...ends);
    } catch (error) {
      if (error.name === "AbortError") return;
      lever.moves = {};
    }
    this.left.shift();
  }

  between(low, high) {
    const moves = {};
    for (const outcome of shownOutcomes(this.meta)) {
      const [one, other] = [valuesOf(low, outcome, low.n), valuesOf(high, outcome, high.n)];
      if (!one || !other) continue;
      const differences = other.map((value, r) => value - one[r]);
      const mean = meanOf(differences);
      const error = Math.sqrt(varianceOf(differences, mean) / differences.length);
      moves[outcome.id] = Math.sign(mean) * Math.max(0, Math.abs(mean) - error);
    }
    return moves;
  }
}

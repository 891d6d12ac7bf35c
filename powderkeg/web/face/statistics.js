// How different are two worlds in one number, and how sure is that?
// In: one number a run in two worlds, runs paired. Out: the difference with its interval, as `powderkeg.compare.effects`
// computes it: Student's, or from the counts of runs that rose and fell where few did.
// Sources: Clopper & Pearson (1934); Garwood (1936); Zou & Donner (2008), Statistics in Medicine 27, 1693-1702.

const LEVEL = 0.9;
const FEW = 100; // runs that differ, below which, where they are less than a tenth, counts give the interval

/** {baseline, value, difference, low, high, runs, differing}; low and high are null where one run stands alone. */
function effectOf(one, other, measure, alike = false, level = LEVEL) {
  const n = Math.min(one.length, other.length);
  const differences = new Float64Array(n);
  let up = 0;
  let down = 0;
  for (let r = 0; r < n; r += 1) {
    differences[r] = other[r] - one[r];
    if (differences[r] > 0) up += 1;
    else if (differences[r] < 0) down += 1;
  }
  const baseline = meanOf(one, n);
  const value = meanOf(other, n);
  const difference = meanOf(differences, n);
  const found = { baseline, value, difference, low: null, high: null, runs: n, differing: up + down };
  if (n < 2) return found;
  [found.low, found.high] = limitsOf(differences, difference, up, down, measure, alike, level);
  return found;
}

function limitsOf(differences, mean, up, down, measure, alike, level) {
  const n = differences.length;
  if (alike || (up + down === 0 && !measure.event)) return [0, 0];
  if (measure.kind === "any") return limitsOfShares(up, down, n, level);
  if (measure.event && up + down < Math.min(FEW, n / 10)) return limitsOfFew(differences, measure.event, level);
  const half = studentQuantile(0.5 + level / 2, n - 1) * Math.sqrt(varianceOf(differences, mean) / n);
  return [mean - half, mean + half];
}

/** Of the share of runs that rose minus the share that fell: the two exclude each other. */
function limitsOfShares(up, down, n, level) {
  const [riseLow, riseHigh] = proportionLimits(up, n, level);
  const [fallLow, fallHigh] = proportionLimits(down, n, level);
  const p = up / n;
  const q = down / n;
  const inside = p > 0 && p < 1 && q > 0 && q < 1;
  const along = inside ? -Math.sqrt((p * q) / ((1 - p) * (1 - q))) : 0;
  const reach = (a, b) => Math.sqrt(Math.max(0, a * a + b * b - 2 * along * a * b));
  return [
    Math.max(p - q - reach(p - riseLow, fallHigh - q), -1),
    Math.min(p - q + reach(riseHigh - p, q - fallLow), 1),
  ];
}

/** From how many runs rose and how many fell, and by how much (see `_few` in compare/effects.py). */
function limitsOfFew(differences, event, level) {
  const tail = (1 - level) / 2;
  const side = (sign) => {
    const sizes = differences.filter((d) => d * sign > 0);
    const count = sizes.length;
    const total = sizes.reduce((sum, d) => sum + Math.abs(d), 0);
    const size = count ? Math.sqrt(sizes.reduce((sum, d) => sum + d * d, 0) / count) : event;
    const below = count ? count - gammaQuantile(tail, count) : 0;
    const above = gammaQuantile(1 - tail, count + 1) - count;
    return [total, below * size, above * size];
  };
  const [rise, riseBelow, riseAbove] = side(1);
  const [fall, fallBelow, fallAbove] = side(-1);
  const n = differences.length;
  return [
    (rise - fall - Math.hypot(riseBelow, fallAbove)) / n,
    (rise - fall + Math.hypot(riseAbove, fallBelow)) / n,
  ];
}

/** What the scenario calls the change; "no clear change" where the interval holds 0. */
function verdictOf(effect, better) {
  if (effect.low === null) return "too few runs";
  if (effect.low === 0 && effect.high === 0) return "no change";
  if (effect.low <= 0 && effect.high >= 0) return "no clear change";
  if (!better) return effect.difference > 0 ? "more" : "less";
  return effect.difference < 0 === (better === "less") ? "better" : "worse";
}

/** How an outcome is counted: {kind, event} as `Measure` has them. */
function measureOf(outcome, years) {
  if (outcome.ratio) return { kind: "mean", event: 0 };
  const event = { chance: 1, count: 1 / years, share: 1, time: years * YEAR }[outcome.kind] ?? 0;
  if (outcome.measure) return { kind: outcome.measure, event };
  return { kind: { chance: "any", count: "count" }[outcome.kind] ?? "mean", event };
}

/** A ratio over runs made linear: the mean of what comes out is the ratio (Cochran 1977, section 6.3). */
function linearised(top, bottom) {
  const n = top.length;
  const [above, below] = [meanOf(top, n), meanOf(bottom, n)];
  if (!(below > 0)) return null;
  const ratio = above / below;
  return Float64Array.from(top, (x, r) => ratio + (x - ratio * bottom[r]) / below);
}

function meanOf(values, n = values.length) {
  let sum = 0;
  for (let r = 0; r < n; r += 1) sum += values[r];
  return n ? sum / n : NaN;
}

function varianceOf(values, mean) {
  let sum = 0;
  for (const x of values) sum += (x - mean) ** 2;
  return sum / (values.length - 1);
}

/** Clopper and Pearson's exact limits of a share. */
function proportionLimits(hits, trials, level) {
  const tail = (1 - level) / 2;
  return [
    hits <= 0 ? 0 : betaQuantile(tail, hits, trials - hits + 1),
    hits >= trials ? 1 : betaQuantile(1 - tail, hits + 1, trials - hits),
  ];
}

function studentQuantile(p, freedom) {
  const x = betaQuantile(2 * (1 - p), freedom / 2, 0.5);
  return Math.sqrt((freedom * (1 - x)) / x);
}

function betaQuantile(p, a, b) {
  return bisected((x) => betaShare(x, a, b), p, 0, 1);
}

function gammaQuantile(p, a) {
  let high = a + 10 * Math.sqrt(a) + 20;
  while (gammaShare(high, a) < p) high *= 2;
  return bisected((x) => gammaShare(x, a), p, 0, high);
}

/** Where a rising function reaches `p`, to the last bits that matter. */
function bisected(rising, p, low, high) {
  for (let step = 0; step < 200; step += 1) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high || high - low < 1e-14 * middle) break;
    if (rising(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Regularised incomplete beta function: Lentz's continued fraction. */
function betaShare(x, a, b) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - betaShare(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  let c = 1;
  let d = 1 / unlessZero(1 - ((a + b) * x) / (a + 1));
  let f = d;
  for (let m = 1; m < 1000; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / unlessZero(1 + even * d);
    c = unlessZero(1 + even / c);
    f *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / unlessZero(1 + odd * d);
    c = unlessZero(1 + odd / c);
    f *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return front * f;
}

/** Regularised lower incomplete gamma function: a series below the middle, a continued fraction above. */
function gammaShare(x, a) {
  if (x <= 0) return 0;
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a;
    let sum = term;
    for (let n = 1; n < 10000 && term > sum * 1e-16; n += 1) {
      term *= x / (a + n);
      sum += term;
    }
    return front * sum;
  }
  let b = x + 1 - a;
  let c = 1e300;
  let d = 1 / unlessZero(b);
  let f = d;
  for (let n = 1; n < 10000; n += 1) {
    const step = -n * (n - a);
    b += 2;
    d = 1 / unlessZero(step * d + b);
    c = unlessZero(b + step / c);
    f *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return 1 - front * f;
}

function unlessZero(value) {
  return Math.abs(value) < 1e-300 ? 1e-300 : value;
}

/** Lanczos, g = 7, nine terms (Godfrey): some 1e-15. */
function logGamma(x) {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  let sum = LANCZOS[0];
  for (let i = 1; i < 9; i += 1) sum += LANCZOS[i] / (x - 1 + i);
  const t = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

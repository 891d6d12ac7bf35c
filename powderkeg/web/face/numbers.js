// How are numbers and days said? As `powderkeg.wording` says them, so that page, report and screen agree.
// In: numbers, days since the start. Out: short texts.

const MINUS = "\u2212";
const YEAR = 365.25;
const RAISED = { "-": "\u207b", ...Object.fromEntries([..."\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"].map((sign, one) => [one, sign])) };

/** A number that somebody wrote: three digits, no exponent where that is readable. */
function written(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "\u2013";
  return plain(value, 3);
}

/** So many digits, plain; a power of ten where zeros would have to be counted. */
function plain(value, digits) {
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-7 || size >= 1e15)) {
    const [head, power] = size.toExponential(digits - 1).split("e");
    const raised = power.replace("+", "").replace(/./g, (one) => RAISED[one]);
    return `${value < 0 ? MINUS : ""}${Number(head)} \u00d7 10${raised}`;
  }
  if (size >= 10 ** (digits - 1)) return grouped(Math.round(value));
  const places = size > 0 ? digits - 1 - Math.floor(Math.log10(size)) : 0;
  const told = Number(size.toPrecision(digits)).toFixed(Math.min(Math.max(places, 0), 20));
  return (value < 0 ? MINUS : "") + (told.includes(".") ? told.replace(/\.?0+$/, "") : told);
}

/** A number that was counted or estimated: three figures, two below 1, whole numbers as they are. */
function measured(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "\u2013";
  const size = Math.abs(value);
  if (size >= 1e15 || (size >= 1e-9 && size < 0.0005)) return plain(value, 2);
  if (Math.abs(value - Math.round(value)) < 1e-9 || size >= 100) return grouped(Math.round(value));
  return tidy(value.toPrecision(size >= 1 ? 3 : 2).replace(/\.$/, ""));
}

/** A share in percent: two digits, but never 0 or 100 where it is not. */
function percent(share) {
  if (share === null || share === undefined || !Number.isFinite(share)) return "\u2013";
  if (share > 0 && share < 0.00005) return "<0.01\u202f%";
  if (share >= 0.995 && share < 1) return `${Math.floor(1000 * share) / 10}\u202f%`;
  return `${Number((100 * share).toPrecision(2))}\u202f%`;
}

function grouped(whole) {
  const text = String(Math.abs(whole)).replace(/\B(?=(\d{3})+$)/g, ",");
  return whole < 0 ? MINUS + text : text;
}

function tidy(text) {
  return text.replace("-", MINUS);
}

/** What an outcome's value looks like; a share of runs or of time is said in percent. */
function said(outcome, value) {
  return isShare(outcome) ? percent(value) : measured(value);
}

function isShare(outcome) {
  return outcome.kind === "chance" || outcome.kind === "share";
}

/** A difference with its sign and its interval, as many digits as the interval bears: "−5.0 [−11.0, +0.7] points". */
function differenceSaid(outcome, effect) {
  const scale = isShare(outcome) ? 100 : 1;
  const unit = isShare(outcome) ? " points" : "";
  if (effect.low === null) return `${signed(effect.difference * scale, 2)}${unit} [?]`;
  const half = (scale * (effect.high - effect.low)) / 2;
  const digits = half > 0 ? Math.min(Math.max(0, 1 - Math.floor(Math.log10(half))), 8) : 0;
  const [middle, low, high] = [effect.difference, effect.low, effect.high].map((x) => signed(x * scale, digits));
  return `${middle} [${low}, ${high}]${unit}`;
}

function signed(value, digits) {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return (value < 0 ? MINUS : "+") + text;
}

/** The date of a day of the run, UTC. */
function dateOf(start, days) {
  return new Date(Date.parse(`${start}T00:00:00Z`) + days * 86400000);
}

/** 3 May 2011 */
function daySaid(start, days) {
  const date = dateOf(start, days);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Ticks of a time axis: [{day, label}], years where there are several of them, else months or days. */
function timeTicks(start, days, most) {
  const first = dateOf(start, 0);
  const origin = first.getTime();
  const ticks = [];
  const put = (date, label) => {
    const day = (date - origin) / 86400000;
    if (day >= 0 && day <= days) ticks.push({ day, label });
  };
  if (days > 2.5 * YEAR) {
    const step = niceStep(days / YEAR / most, [1, 2, 5]);
    const from = Math.ceil(first.getUTCFullYear() / step) * step;
    for (let year = from; year <= first.getUTCFullYear() + days / YEAR + 1; year += step) {
      put(Date.UTC(year, 0, 1), String(year));
    }
  } else if (days > 75) {
    const step = [1, 2, 3, 6, 12].find((months) => days / 30.4 / months <= most) ?? 12;
    for (let month = 0; month <= days / 28 + step; month += step) {
      const date = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + month, 1));
      put(date.getTime(), `${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`);
    }
  } else {
    const step = niceStep(days / most, [1, 2, 5]);
    for (let day = 0; day <= days; day += step) {
      const date = dateOf(start, day);
      put(date.getTime(), `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`);
    }
  }
  return ticks;
}

/** The smallest of 1, 2, 5, 10, 20 ... that is not below `least`, and never below 1. */
function niceStep(least, steps) {
  let power = 1;
  for (;;) {
    for (const step of steps) if (step * power >= least) return step * power;
    power *= 10;
  }
}

/** The next of 1, 2, 5 times a power of ten at or above a positive number: scales that change seldom. */
function niceCeiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * (1 - 1e-9));
}

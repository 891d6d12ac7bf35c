"use strict";
// The page's door to the engine: promises, answered by a worker thread. See the head of each function for its contract.

let started;
window.powderkeg = {
  ready: new Promise(resolve => { started = resolve; }),
  /** For tests: every act and outcome of some runs. {replicates, years, seed, set, on, off, paired, limit} */
  async run({replicates, years, seed, set = {}, on = [], off = [], paired = false, limit} = {}) {
    const engine = await window.powderkeg.ready;
    const found = await engine.events({replicates, years, seed, paired, limit, world: {set, on, off}});
    for (const [name, values] of Object.entries(found.outcomes)) found.outcomes[name] = Array.from(values);
    return found;
  },
};

/** The text of an element of the page that holds data. */
function powderkegData(id) { return document.getElementById(id).textContent; }

/** Acts at which a run is stopped: a tenth of what Python allows, so that a lever pulled too far is told in a moment. */
const LIMIT = 100000;

/** Runs that the record is held against: as many histories of its length. */
const RECORDED = 100;

/** A worker thread: `ask` gives a promise with the number of the question as its `id`. */
function powderkegThread(url) {
  const worker = new Worker(url), waiting = new Map();
  let number = 0;
  worker.onmessage = ({data: {id, result, error}}) => {
    const one = waiting.get(id);
    waiting.delete(id);
    if (!error) one.resolve(result);
    else one.reject(Object.assign(new Error(error.message), {refused: error.refused}));
  };
  worker.onerror = event => {
    for (const one of waiting.values()) one.reject(new Error(event.message || "the engine's thread stopped"));
    waiting.clear();
  };
  return {
    ask(what, given) {
      const id = ++number;
      const promise = new Promise((resolve, reject) => waiting.set(id, {resolve, reject}));
      worker.postMessage({id, what, given});
      return Object.assign(promise, {id});
    },
    forget: id => worker.postMessage({forget: id}),
    waiting: () => waiting.size,
  };
}

/**
 * An engine for a model, the parsed JSON of the element `model`.
 * Rejects where the browser lacks WebAssembly or threads.
 */
async function powderkegEngine(model) {
  if (typeof WebAssembly !== "object") throw new Error("this browser has no WebAssembly");
  const text = atob(powderkegData("engine-module").trim());
  const wasm = Uint8Array.from(text, letter => letter.charCodeAt(0));
  const loops = JSON.parse(powderkegData("engine-loops"));
  const url = URL.createObjectURL(new Blob([powderkegData("engine-worker")], {type: "text/javascript"}));
  const threads = Array.from({length: Math.min(navigator.hardwareConcurrency || 1, 4)}, () => powderkegThread(url));
  URL.revokeObjectURL(url);
  /** Whatever is no run goes to the thread that has least to do. */
  const ask = (what, given) => threads.reduce((a, b) => b.waiting() < a.waiting() ? b : a).ask(what, given);

  /** The parts of a run, one a thread, put together; what comes after a part that ended early is left out. */
  function together(parts, sizes) {
    if (parts.some(part => part === null)) return null;
    const end = parts.findIndex((part, k) => part.replicates < sizes[k]), used = end < 0 ? parts : parts.slice(0, end + 1);
    const joined = arrays => {
      const whole = new arrays[0].constructor(arrays.reduce((n, a) => n + a.length, 0));
      arrays.reduce((at, a) => { whole.set(a, at); return at + a.length; }, 0);
      return whole;
    };
    const outcomes = {};
    for (const id of Object.keys(used[0].outcomes)) outcomes[id] = joined(used.map(part => part.outcomes[id]));
    const sum = key => used.reduce((n, part) => n + part[key], 0), size = joined(used.map(part => part.size));
    const total = outcomes["standoffs.standoffs"];
    const order = Array.from(size.keys()).sort((a, b) => total[a] - total[b] || size[a] - size[b] || a - b);
    const record = {}, runs = used.map(part => part.record).filter(Boolean);
    for (const {id} of model.record) {
      const [total, n] = runs.reduce(([a, b], one) => [a + one[id][0], b + one[id][1]], [0, 0]);
      if (n) record[id] = total / n;
    }
    const blamed = used.find(part => part.blame);
    return {replicates: sum("replicates"), capped: sum("capped"), blame: blamed ? blamed.blame : null, outcomes, record, size,
      exploded: joined(used.map(part => part.exploded)), median: order[Math.floor((order.length - 1) / 2)]};
  }
  function forget(ids) { ids.forEach((id, k) => threads[k].forget(id)); }

  const latest = new Map();
  const engine = {
    meta: model,
    /**
     * Outcomes of many runs. {world, replicates, first, years, seed, paired, slot}
     * paired  numbers and ties of the world over this page's model as baseline: shares every draw with it
     * slot    a later call with the same slot supersedes this one, which then resolves to null
     */
    run({slot = "", paired = true, limit = LIMIT, ...given} = {}) {
      if (latest.has(slot)) forget(latest.get(slot));
      const {replicates = model.replicates, first = 0} = given, n = Math.min(threads.length, Math.max(1, Math.floor(replicates / 16)));
      const edges = Array.from({length: n + 1}, (_, k) => Math.floor(k * replicates / n));
      const sizes = edges.slice(1).map((end, k) => end - edges[k]);
      // The record is held against the first runs alone, however many more are asked for; `recorded: 0` leaves it out.
      const recorded = k => Math.max(0, Math.min(given.recorded ?? RECORDED, first + edges[k + 1]) - (first + edges[k]));
      const asked = sizes.map((size, k) => threads[k].ask("run", {...given, paired, limit, replicates: size, first: first + edges[k],
        recorded: recorded(k)}));
      const ids = asked.map(one => one.id);
      latest.set(slot, ids);
      const over = () => { if (latest.get(slot) === ids) latest.delete(slot); };
      const whole = Promise.all(asked).then(parts => {
        const found = together(parts, sizes);
        if (found) found.median += first;
        return found;
      });
      whole.then(over, over);
      return whole;
    },
    /** Give up what runs or waits; such calls resolve to null. */
    cancel() {
      for (const ids of latest.values()) forget(ids);
      latest.clear();
    },
    history: given => ask("history", {paired: true, limit: LIMIT, ...given}),
    stability: world => ask("stability", {world}),
    play: given => ask("play", {paired: true, limit: LIMIT, ...given}),
    /** The text of a file with this world as an intervention. given: {name, title, seed, replicates, years} */
    yaml: (world, given = {}) => ask("yaml", {world, ...given}),
    parse: text => ask("parse", {text}),
    events: given => ask("events", given),
    tables: given => ask("tablesOf", given),
  };
  await Promise.all(threads.map(thread => thread.ask("start", {model, wasm, loops})));
  const summary = document.getElementById("summary");
  if (summary) summary.hidden = true;
  document.documentElement.dataset.engine = "ready";
  window.powderkeg.engine = engine;
  started(engine);
  return engine;
}

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
  const worker = new Worker(url);
  URL.revokeObjectURL(url);
  const waiting = new Map();
  let number = 0;

  function ask(what, given) {
    const id = ++number;
    const promise = new Promise((resolve, reject) => waiting.set(id, {resolve, reject}));
    worker.postMessage({id, what, given});
    promise.id = id;
    return promise;
  }
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

  const latest = new Map();
  const engine = {
    meta: model,
    /**
     * Outcomes of many runs. {world, replicates, first, years, seed, paired, slot}
     * paired  numbers and ties of the world over this page's model as baseline: shares every draw with it
     * slot    a later call with the same slot supersedes this one, which then resolves to null
     */
    run({slot = "", paired = true, ...given} = {}) {
      if (latest.has(slot)) worker.postMessage({forget: latest.get(slot)});
      const asked = ask("run", {...given, paired});
      latest.set(slot, asked.id);
      const over = () => { if (latest.get(slot) === asked.id) latest.delete(slot); };
      asked.then(over, over);
      return asked;
    },
    /** Give up what runs or waits; such calls resolve to null. */
    cancel() {
      for (const id of latest.values()) worker.postMessage({forget: id});
      latest.clear();
    },
    history: given => ask("history", {paired: true, ...given}),
    stability: world => ask("stability", {world}),
    play: given => ask("play", {paired: true, ...given}),
    yaml: (world, given = {}) => ask("yaml", {world, ...given}),
    parse: text => ask("parse", {text}),
    events: given => ask("events", given),
    tables: given => ask("tablesOf", given),
  };
  await ask("start", {model, wasm, loops});
  const summary = document.getElementById("summary");
  if (summary) summary.hidden = true;
  document.documentElement.dataset.engine = "ready";
  window.powderkeg.engine = engine;
  started(engine);
  return engine;
}

"use strict";
// A thread of its own for the engine: answers one message after the other, and gives up a run when it is told to.
let core = null;
const given_up = new Set();

const channel = new MessageChannel();
let resume = null;
channel.port1.onmessage = () => { const go = resume; resume = null; go(); };
/** Let messages in, such as that a run is no longer wanted. */
const breathe = () => new Promise(done => { resume = done; channel.port2.postMessage(0); });

let line = Promise.resolve();
self.onmessage = ({data}) => {
  if (data.forget !== undefined) { given_up.add(data.forget); return; }
  line = line.then(() => answer(data));
};

async function answer({id, what, given}) {
  try {
    if (given_up.delete(id)) { self.postMessage({id, result: null}); return; }
    self.postMessage({id, result: await work(id, what, given)});
  } catch (error) {
    self.postMessage({id, error: {message: error.message, refused: core !== null && error instanceof core.Refusal}});
  }
}

async function work(id, what, given) {
  if (what === "start") {
    const {instance} = await WebAssembly.instantiate(given.wasm);
    core = powderkegCore(given.model, instance, given.loops);
    return true;
  }
  if (what === "run")
    return core.run({...given, between: async () => { await breathe(); return !given_up.delete(id); }});
  if (what === "events") {
    const found = core.eventsOf(given);
    return {events: core.acts(found), outcomes: found.outcomes};
  }
  return core[what](given);
}

// What is being asked: up to three worlds, each a set of edits of the baseline, and which one the levers move.
// In: the scenario's metadata, an address. Out: plain data, with undo, redo and an address for every state.

const MOST_WORLDS = 3;
const LONGEST_NAME = 80;
const MOST_STEPS = 500;

/** A world is {name, set: {path: value}, on: [switch], off: [switch]}; with nothing set it is the baseline. */
function freshWorld(number) {
  return { name: `World ${number}`, set: {}, on: [], off: [] };
}

class Asked {
  constructor(meta, changed) {
    this.meta = meta;
    this.changed = changed;
    this.levers = new Map(meta.levers.map((lever) => [lever.path, lever]));
    this.switches = new Map(meta.switches.map((one) => [one.id, one]));
    this.now = this.beginning();
    this.past = [];
    this.future = [];
    this.held = null;
  }

  beginning() {
    return { worlds: [freshWorld(1)], at: 0, against: -1, seed: this.meta.seed, years: this.meta.years, watch: null };
  }

  get world() {
    return this.now.worlds[this.now.at];
  }

  get reference() {
    return this.worldAt(this.now.against);
  }

  worldAt(index) {
    return index < 0 ? { name: "Baseline", set: {}, on: [], off: [] } : this.now.worlds[index];
  }

  /** Change the state; moves with the same `grip` that follow each other are one step to undo. */
  change(edit, grip = null) {
    const before = JSON.stringify(this.now);
    const next = JSON.parse(before);
    edit(next);
    if (JSON.stringify(next) === before) return;
    if (grip === null || grip !== this.held) {
      this.past.push(before);
      if (this.past.length > MOST_STEPS) this.past.shift();
    }
    this.held = grip;
    this.future = [];
    this.now = next;
    this.changed();
  }

  /** A drag has ended: the next move of the same lever is a step of its own. */
  letGo() {
    this.held = null;
  }

  undo() {
    this.travel(this.past, this.future);
  }

  redo() {
    this.travel(this.future, this.past);
  }

  travel(from, to) {
    if (!from.length) return;
    to.push(JSON.stringify(this.now));
    this.now = JSON.parse(from.pop());
    this.held = null;
    this.changed();
  }

  reset() {
    this.change((next) => Object.assign(next, this.beginning(), { watch: next.watch }));
  }

  setLever(path, value, grip = null) {
    this.change((next) => {
      const world = next.worlds[next.at];
      if (value === this.levers.get(path).value) delete world.set[path];
      else world.set[path] = value;
    }, grip);
  }

  setSwitch(id, on) {
    this.change((next) => {
      const world = next.worlds[next.at];
      world.on = world.on.filter((one) => one !== id);
      world.off = world.off.filter((one) => one !== id);
      if (on !== Boolean(this.switches.get(id).on)) world[on ? "on" : "off"].push(id);
    });
  }

  isOn(world, id) {
    if (world.on.includes(id)) return true;
    return !world.off.includes(id) && Boolean(this.switches.get(id).on);
  }

  addWorld() {
    this.change((next) => {
      if (next.worlds.length >= MOST_WORLDS) return;
      const names = next.worlds.map((world) => world.name);
      const number = [1, 2, 3, 4].find((n) => !names.includes(`World ${n}`));
      next.worlds.push({ ...JSON.parse(JSON.stringify(next.worlds[next.at])), name: `World ${number}` });
      next.at = next.worlds.length - 1;
    });
  }

  dropWorld(index) {
    this.change((next) => {
      next.worlds.splice(index, 1);
      if (!next.worlds.length) next.worlds.push(freshWorld(1));
      next.at = Math.min(next.at, next.worlds.length - 1);
      if (next.against === index || next.against >= next.worlds.length || next.against === next.at) next.against = -1;
      else if (next.against > index) next.against -= 1;
    });
  }

  /** Put a world that was read from a file in place of the one that the levers move, if that is still untouched. */
  takeWorld(world, title) {
    const known = this.checked(world);
    this.change((next) => {
      const taken = { ...known, name: words(title, LONGEST_NAME) || "Loaded" };
      const untouched = isBaseline(next.worlds[next.at]);
      if (untouched) next.worlds[next.at] = taken;
      else if (next.worlds.length < MOST_WORLDS) next.at = next.worlds.push(taken) - 1;
      else next.worlds[next.at] = taken;
    });
  }

  /** The world if it holds nothing that this scenario does not have; otherwise an error in plain words. */
  checked(world) {
    const set = {};
    for (const [path, value] of Object.entries(world.set ?? {})) {
      if (!this.levers.has(path)) throw new Error(`it sets '${words(path, 60)}', which this scenario does not have`);
      if (typeof value !== "number" || !Number.isFinite(value)) throw new Error(`'${path}' is no number`);
      set[path] = value;
    }
    const ids = (list) => (list ?? []).map((id) => {
      if (!this.switches.has(id)) throw new Error(`it switches '${words(id, 60)}', which this scenario does not have`);
      return id;
    });
    return { set, on: ids(world.on), off: ids(world.off) };
  }

  /** The state as the part of the address behind '#': names in plain text, so that a reader can see what it holds. */
  address() {
    const { meta, now } = this;
    const parts = [["scenario", meta.scenario], ["digest", String(meta.digest).slice(0, 12)], ["version", meta.version]];
    if (now.seed !== meta.seed) parts.push(["seed", now.seed]);
    if (now.years !== meta.years) parts.push(["years", now.years]);
    if (now.watch) parts.push(["watch", now.watch]);
    if (now.at) parts.push(["at", now.at]);
    if (now.against >= 0) parts.push(["against", now.against]);
    for (const world of now.worlds) {
      parts.push(["world", world.name]);
      for (const [path, value] of Object.entries(world.set)) parts.push(["set", `${path}=${value}`]);
      for (const id of world.on) parts.push(["on", id]);
      for (const id of world.off) parts.push(["off", id]);
    }
    return new URLSearchParams(parts.map(([key, value]) => [key, String(value)])).toString();
  }

  /** Take the state that an address tells. Returns what is wrong with it, in words, or null; then nothing is taken. */
  follow(address) {
    if (!address) return null;
    try {
      const next = this.told(new URLSearchParams(address));
      this.now = next;
      return null;
    } catch (error) {
      this.now = this.beginning();
      return error.message;
    }
  }

  told(parts) {
    const { meta } = this;
    const next = { ...this.beginning(), worlds: [] };
    const same = (key, own, what) => {
      const found = parts.get(key);
      if (found === null) throw new Error("it does not say which scenario it belongs to");
      if (found !== own) throw new Error(`it belongs to ${what} ${words(found, 40)}, this page holds ${words(own, 40)}`);
    };
    same("scenario", String(meta.scenario), "the scenario");
    same("version", String(meta.version), "powderkeg");
    same("digest", String(meta.digest).slice(0, 12), "another edition of the scenario,");
    for (const [key, text] of parts) this.take(next, key, text);
    if (!next.worlds.length) next.worlds.push(freshWorld(1));
    if (!next.worlds[next.at]) throw new Error(`it points to world ${next.at + 1}, which is not in it`);
    if (next.against >= next.worlds.length || next.against === next.at) throw new Error("it compares a world that is not in it");
    next.worlds = next.worlds.map((world) => ({ name: world.name, ...this.checked(world) }));
    return next;
  }

  take(next, key, text) {
    const number = (least, most, whole = true) => {
      const value = Number(text);
      if (text === "" || !(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
        throw new Error(`its ${key} is '${words(text, 30)}'`);
      }
      return value;
    };
    const world = next.worlds.at(-1);
    if (["set", "on", "off"].includes(key) && !world) throw new Error("it sets something before it names a world");
    if (key === "seed") next.seed = number(0, 2 ** 53 - 1);
    else if (key === "years") next.years = number(0.01, 1000, false);
    else if (key === "at") next.at = number(0, MOST_WORLDS - 1);
    else if (key === "against") next.against = number(0, MOST_WORLDS - 1);
    else if (key === "watch") next.watch = this.meta.outcomes.some((one) => one.id === text) ? text : null;
    else if (key === "world") {
      if (next.worlds.length >= MOST_WORLDS) throw new Error(`it holds more than ${MOST_WORLDS} worlds`);
      next.worlds.push({ ...freshWorld(next.worlds.length + 1), name: words(text, LONGEST_NAME) || "World" });
    } else if (key === "on" || key === "off") world[key].push(text);
    else if (key === "set") {
      const cut = text.lastIndexOf("=");
      const value = text.slice(cut + 1);
      world.set[text.slice(0, cut)] = value === "" ? NaN : Number(value);
    }
  }
}

function isBaseline(world) {
  return !Object.keys(world.set).length && !world.on.length && !world.off.length;
}

/** The edits alone, in one order: two worlds with the same key are the same. */
function keyOf(world) {
  const set = Object.keys(world.set).sort().map((path) => [path, world.set[path]]);
  return JSON.stringify([set, [...world.on].sort(), [...world.off].sort()]);
}

/** What the engine is handed. */
function editsOf(world) {
  return { set: { ...world.set }, on: [...world.on], off: [...world.off] };
}

/** The edits in words, one line each. */
function assumptionsOf(world, asked) {
  const lines = Object.entries(world.set).map(([path, value]) => {
    const lever = asked.levers.get(path);
    return `${words(lever.title, 120)}: ${shownOf(lever, value)} instead of ${shownOf(lever, lever.value)} ${unitOf(lever)}`.trim();
  });
  const switched = (ids, how) => ids.map((id) => `${words(asked.switches.get(id).title, 120)}: ${how}`);
  return [...lines, ...switched(world.on, "on"), ...switched(world.off, "off")];
}

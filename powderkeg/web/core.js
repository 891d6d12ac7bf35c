"use strict";
// The engine's side of the page, for a worker or for the page itself: from a bundled model and a world to runs.
// The loops (simulation, counts, standoffs) are those of Python, compiled to WebAssembly; here stands what Python does
// with NumPy around them, in the same order, so that both give the same bits. Layout: fill, worlds, tables, runs, counts.

function powderkegCore(model, wasm, signatures) {
  const LN2 = Math.LN2, YEAR = 365.25;
  const LAYERS = 8, NEW = 32, LARGEST_MEAN = 16.0;
  const FINISHED = 0, FULL = 2, NO_SLOTS = 5;
  const SLOT_WORDS = 6, TRIAL = 8, AFFORDABLE = 1e6, LEAST_WAITING = 1e6;
  const MASK = (1n << 64n) - 1n, GOLDEN = 0x9E3779B97F4A7C15n;

  // -- The module: memory handed out from the bottom up and given back all at once, calls by the names of the loops.
  const memory = wasm.exports.memory;
  const bottom = (wasm.exports.__heap_base.value + 1024 + 63) & ~63;
  const RETURNED = bottom - 512, RAISED = bottom - 256;
  let top = bottom;
  const BYTES = {int64: 8, uint64: 8, float64: 8, int32: 4, int16: 2, uint8: 1, bool: 1};
  const VIEW = {float64: Float64Array, int32: Int32Array, int16: Int16Array, uint8: Uint8Array, bool: Uint8Array,
    int64: Int32Array, uint64: BigUint64Array};

  /** Room for numbers in the module's memory: {at, type, shape}. It is what the loops take for an array. */
  function room(type, ...shape) {
    const n = shape.reduce((a, b) => a * b, 1);
    const at = top;
    top = (top + n * BYTES[type] + 63) & ~63;
    const missing = top - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536) + 64);
    return {at, type, shape, n};
  }
  /** The numbers of an array, valid until memory grows. Of int64 these are pairs of 32 bits, the lower first. */
  function view(a) {
    const long = a.type === "int64" ? 2 : 1;
    return new VIEW[a.type](memory.buffer, a.at, a.n * long);
  }
  /** An array with these numbers in it; whole numbers may be bigints where 53 bits do not do. */
  function put(type, numbers, ...shape) {
    const a = room(type, ...(shape.length ? shape : [numbers.length]));
    const into = view(a);
    if (type !== "int64") { into.set(numbers); return a; }
    for (let i = 0; i < numbers.length; i++) {
      const x = numbers[i];
      if (typeof x === "bigint") {
        into[2 * i] = Number(BigInt.asIntN(32, x));
        into[2 * i + 1] = Number(BigInt.asIntN(32, x >> 32n));
      } else {
        into[2 * i] = x | 0;
        into[2 * i + 1] = x < 0 ? -1 : Math.floor(x / 4294967296);
      }
    }
    return a;
  }
  /** Whole numbers of an int64 array that are known to be small. */
  function small(a) {
    const pairs = view(a), out = new Int32Array(a.n);
    for (let i = 0; i < a.n; i++) out[i] = pairs[2 * i];
    return out;
  }
  function flat(kind, value, into) {
    if (typeof kind === "string") {
      if (kind === "float64") into.push(value);
      else if (kind === "bool" || kind === "boolean") into.push(value ? 1 : 0);
      else into.push(typeof value === "bigint" ? BigInt.asIntN(64, value) : BigInt(value));
    } else if (typeof kind[0] === "string") {
      into.push(0, 0, BigInt(value.n), BigInt(BYTES[value.type]), value.at);
      for (const size of value.shape) into.push(BigInt(size));
      let stride = BYTES[value.type];
      const strides = [];
      for (let d = value.shape.length - 1; d >= 0; d--) { strides.unshift(BigInt(stride)); stride *= value.shape[d]; }
      into.push(...strides);
    } else for (const [field, one] of kind) flat(one, value[field], into);
  }
  function call(name, given) {
    const {takes, returns} = signatures[name];
    const words = [RETURNED, RAISED];
    for (const [argument, kind] of takes) {
      if (!(argument in given)) throw new Error(`${name} takes ${argument}`);
      flat(kind, given[argument], words);
    }
    const status = wasm.exports[name](...words);
    if (status !== 0) throw new Error(`the loop ${name} stopped with status ${status}`);
    const data = new DataView(memory.buffer, RETURNED, 8 * Math.max(returns.length, 1));
    return returns.map((kind, i) =>
      kind === "float64" ? data.getFloat64(8 * i, true) : Number(data.getBigInt64(8 * i, true)));
  }
  const exponential = x => call("exponential", {x})[0];

  // -- A system with other numbers in it: `model.filled`.
  const number = x => x === "inf" ? Infinity : x === "-inf" ? -Infinity : x === "nan" ? NaN : x;
  const FLOATS = new Set(["rate", "step_time", "step_value", "profile_swing", "profile_peak", "edge_mass", "kernel_share",
    "kernel_decay", "level_factor", "effect_probability", "timer_delay", "calm_decay", "calm_add_amount",
    "calm_low_strength", "turn_time"]);
  const base0 = {};
  for (const [name, list] of Object.entries(model.system))
    base0[name] = FLOATS.has(name) ? Float64Array.from(list, number) : Int32Array.from(list);
  const C = base0.rate.length, E = base0.edge_target.length, S = base0.initial_level.length;
  const values0 = Float64Array.from(model.parameters, p => p.value);
  const indexOf = new Map(model.parameters.map((p, i) => [p.path, i]));
  const edgeWeight0 = Float64Array.from(model.cells.edge_weight);

  function fill(values, patch) {
    const made = {...base0};
    const weight = patch && patch.weight ? Float64Array.from(edgeWeight0) : edgeWeight0;
    if (patch && patch.weight) for (const [i, x] of patch.weight) weight[i] = number(x);
    for (const [name, cells] of Object.entries(model.cells)) {
      if (["edge_weight", "times", "power", "kernel_times"].includes(name) || !cells) continue;
      const array = Float64Array.from(base0[name]);
      for (let i = 0; i < cells.length; i++) {
        const p = cells[i];
        if (p < 0) continue;
        let x = values[p];
        if (name === "rate" && model.cells.times) {
          const t = model.cells.times[i];
          x = (t >= 0 ? values[t] : 1.0) * x;
        } else if (name === "edge_mass") x = weight[i] * x;
        else if (name === "kernel_decay") x = model.cells.kernel_times ? LN2 / x * model.cells.kernel_times[i] : LN2 / x;
        else if (name === "calm_decay") x = LN2 / x;
        else if (name === "level_factor" && model.cells.power && model.cells.power[i] !== 1) x **= model.cells.power[i];
        array[i] = x;
      }
      made[name] = array;
    }
    if (patch && patch.cells)
      for (const [name, cells] of Object.entries(patch.cells)) {
        made[name] = made[name].slice();
        for (const [i, x] of cells) made[name][i] = number(x);
      }
    return made;
  }

  // -- Worlds: what is asked for as phases over a baseline, forced acts and policies: `compare.interventions`.
  class Refusal extends Error {}

  /** Refuses a number of runs, a length or a seed that is none. */
  function checked({replicates, years, seed}) {
    const whole = (value, least) => Number.isSafeInteger(value) && value >= least;
    if (!whole(replicates, 1)) throw new Refusal(`replicates: ${replicates}; expected a whole number from 1`);
    if (!(Number.isFinite(years) && years > 0)) throw new Refusal(`years: ${years}; expected a number above 0`);
    if (!whole(seed, 0)) throw new Refusal(`seed: ${seed}; expected a whole number from 0`);
  }

  /** {path: value} as numbers by parameter and levels by fact. */
  function split(set) {
    const values = new Map(), levels = new Map();
    for (const [path, value] of Object.entries(set || {})) {
      if (indexOf.has(path)) {
        if (typeof value !== "number" || !Number.isFinite(value)) throw new Refusal(`${path}: ${value} is no number`);
        values.set(indexOf.get(path), value);
      } else if (path in model.levels) {
        const [fact, names] = model.levels[path];
        const key = String(value);
        if (!(key in names)) throw new Refusal(`${path}: ${key} is none of ${Object.keys(names).join(", ")}`);
        levels.set(fact, names[key]);
      } else throw new Refusal(`${path} is nothing that this model can be filled from`);
    }
    return {values, levels};
  }
  function switched(world) {
    const chosen = [], ties = {};
    const flip = (id, on) => {
      const one = model.switches.find(s => s.id === id);
      if (!one) throw new Refusal(`${id} is no switch of this model`);
      if (one.kind === "tie") ties[`${id}.holds`] = on;
      else if (on) {
        if (one.refused) throw new Refusal(one.refused);
        chosen.push(one);
      }
    };
    for (const id of world.on || []) flip(id, true);
    for (const id of world.off || []) flip(id, false);
    const names = chosen.map(one => one.id);
    for (const [a, b, why] of model.conflicts)
      if (names.includes(a) && names.includes(b)) throw new Refusal(why);
    // In the order of the scenario, whatever order they were switched on in.
    chosen.sort((a, b) => model.switches.indexOf(a) - model.switches.indexOf(b));
    return {chosen, ties};
  }
  function withLevels(system, levels) {
    const initial = system.initial_level.slice();
    for (const [fact, level] of levels) initial[fact] = level;
    return {...system, initial_level: initial};
  }
  function silenced(system, channels) {
    if (!channels.length) return system;
    const out = new Set(channels), rate = system.rate.slice(), mass = system.edge_mass.slice();
    for (const c of channels) rate[c] = 0;
    for (let e = 0; e < E; e++) if (out.has(system.edge_target[e])) mass[e] = 0;
    return {...system, rate, edge_mass: mass};
  }
  /** Where the facts with a known path have got to. */
  function pathAt(system, at) {
    const found = new Map([...new Set(system.turn_fact)].sort((a, b) => a - b).map(s => [s, system.initial_level[s]]));
    for (let i = 0; i < system.turn_time.length; i++)
      if (system.turn_time[i] <= at) found.set(system.turn_fact[i], system.turn_level[i]);
    return found;
  }
  /** One more phase wherever a fact with a known path turns: `engine.worlds._with_turns`. */
  function withTurns(phases) {
    const result = [], known = pathAt(phases[0].system, -Infinity);
    phases.forEach((phase, k) => {
      const {system} = phase, end = k + 1 < phases.length ? phases[k + 1].at : Infinity;
      const here = new Map([...known, ...pathAt(system, phase.at)]);
      result.push({...phase, levels: [...phase.levels, ...[...here].filter(([s, z]) => k > 0 && known.get(s) !== z)]});
      for (const [s, z] of here) known.set(s, z);
      const times = [...new Set(system.turn_time)].filter(t => t > phase.at && t < end).sort((a, b) => a - b);
      for (const at of times) {
        const levels = [];
        system.turn_time.forEach((t, i) => { if (t === at) levels.push([system.turn_fact[i], system.turn_level[i]]); });
        result.push({at, system, levels});
        for (const [s, z] of levels) known.set(s, z);
      }
    });
    return result;
  }
  const until = part => part.until === null || part.until === undefined ? Infinity : part.until;

  /**
   * The world that is asked for. `paired`: numbers and ties are set from day 0 over the bundled model as baseline, as an
   * intervention would, so that both share every draw; else they are the baseline, as with `--set`.
   * `extra`: {acts: [{at, channel}], idle: [{at, until, channels}]}, for played histories.
   */
  function worldOf(world, days, paired, extra = {acts: [], idle: []}) {
    const {chosen, ties} = switched(world);
    const own = split({...(world.set || {}), ...ties});
    const given = values0.slice();
    for (const [i, x] of own.values) given[i] = x;
    const parts = chosen.map(one => ({at: one.at, until: until(one), values: Object.entries(one.values || {})
      .map(([i, x]) => [Number(i), number(x)]), levels: one.levels || [], cells: one.cells || {}, weight: one.weight || [],
      idle: one.remove || [], turns: one.turns || null}));
    if (days < Infinity && days > model.known_days + 1e-9)
      throw new Refusal(`covariates are known for ${model.known_days} days, fewer than ${days}`);
    for (const one of chosen)
      for (const at of [one.at, ...(one.do || []).map(act => act[0])])
        if (at >= days) throw new Refusal(`${one.title}: day ${at} comes after the end, day ${days}`);
    if (paired && (own.values.size || own.levels.size))
      parts.unshift({at: 0, until: Infinity, values: [...own.values], levels: [...own.levels], cells: {}, weight: [], idle: []});
    for (const one of extra.idle) parts.push({at: one.at, until: one.until, values: [], levels: [], cells: {}, weight: [], idle: one.channels});
    const changes = part => part.values.length || part.levels.length || part.idle.length || part.turns ||
      Object.keys(part.cells).length || part.weight.length;
    const base = paired ? base0 : withLevels(fill(given), own.levels);
    const baseValues = paired ? values0 : given;
    const active = parts.filter(changes);
    const turns = [...new Set(active.flatMap(part => [part.at, part.until]))].filter(t => t < days).sort((a, b) => a - b);
    const phases = turns.map(at => {
      const now = active.filter(part => part.at <= at && at < part.until);
      let system = base;
      if (now.some(part => part.values.length || part.levels.length || part.turns || part.weight.length || Object.keys(part.cells).length)) {
        const values = baseValues.slice(), levels = new Map();
        const patch = {cells: {}, weight: []};
        for (const part of now) {
          for (const [i, x] of part.values) values[i] = x;
          for (const [fact, level] of part.levels) levels.set(fact, level);
          patch.weight.push(...part.weight);
          for (const [name, cells] of Object.entries(part.cells)) (patch.cells[name] ||= []).push(...cells);
        }
        const filled = fill(values, patch.weight.length || Object.keys(patch.cells).length ? patch : null);
        const turned = now.find(part => part.turns);
        system = withLevels({...filled, initial_level: base.initial_level, ...(turned ? turned.turns : {})}, levels);
      }
      return {at, system: silenced(system, [...new Set(now.flatMap(part => part.idle))]), levels: []};
    });
    const resolved = [{at: -Infinity, system: base, levels: []}];
    for (const phase of phases) {
      const before = resolved[resolved.length - 1].system.initial_level, now = phase.system.initial_level;
      const turned = [];
      for (let s = 0; s < S; s++) if (before[s] !== now[s]) turned.push([s, now[s]]);
      resolved.push({at: phase.at, system: phase.system, levels: turned.concat(phase.levels)});
    }
    const followed = resolved.some(phase => phase.system.turn_time.length) ? withTurns(resolved) : resolved;
    const acts = chosen.flatMap(one => (one.do || []).map(([at, channel]) => ({at, channel}))).concat(extra.acts);
    const policies = chosen.flatMap(one => (one.whenever || []).map(p => ({...p, end: p.end === null ? Infinity : p.end})));
    return {base, phases: followed, acts, policies};
  }

  // -- Tables: what the loop reads: `engine.simulation.candidates` and `tables`.
  function reachable(base, systems, pairs) {
    const reach = new Uint8Array(base.level_start[S]);
    for (const system of systems) {
      for (let s = 0; s < S; s++) reach[base.level_start[s] + system.initial_level[s]] = 1;
      for (let i = 0; i < system.effect_probability.length; i++)
        if (system.effect_probability[i] > 0) reach[base.level_start[system.effect_fact[i]] + system.effect_level[i]] = 1;
    }
    for (const [fact, level] of pairs) reach[base.level_start[fact] + level] = 1;
    return reach;
  }
  function ceilings(system, reach) {
    const mark = top;
    const row = room("float64", system.row_start.length - 1);
    call("row_ceilings", {row_start: put("int64", system.row_start), row_fact: put("int64", system.entry_fact),
      row_offset: put("int64", system.entry_offset), factor: put("float64", system.level_factor),
      level_start: put("int64", system.level_start), reach: put("bool", reach), top: row});
    const rows = view(row).slice();
    top = mark;
    const P = system.profile_start.length - 1, highest = new Float64Array(P);
    for (let p = 0; p < P; p++) {
      let most = -Infinity;
      for (let i = system.profile_start[p]; i < system.profile_start[p + 1]; i++) most = Math.max(most, system.step_value[i]);
      highest[p] = most * (1.0 + system.profile_swing[p]);
    }
    const edge = new Float64Array(E), rate = new Float64Array(C), open = new Float64Array(C);
    for (let e = 0; e < E; e++)
      edge[e] = system.edge_mass[e] * rows[system.edge_gate[e]] * rows[system.channel_gate[system.edge_target[e]]];
    for (let c = 0; c < C; c++) {
      const p = system.profile[c];
      open[c] = system.rate[c] * (p >= 0 ? highest[p] : 1.0);
      rate[c] = open[c] * rows[system.background_gate[c]] * rows[system.channel_gate[c]];
    }
    return {edge, rate, open};
  }

  // Which background candidates sleep while their gate is shut: `engine.simulation.strips`.
  const HALF = 0.5, ABOVE = 1.0 + 1e-6, ALIKE = 1.02, LEFT_OUT = 0.01, MOST_BOUNDS = 64, MOST_GROUPS = 64, BLOCK = 2.0;
  const LAYER_ADDRESS = 128, ADDRESSES = 256;
  /** Of several rows together: fact -> its factor at each level it can come to, as a share of the highest. */
  function sharesOf(base, reach, rows) {
    const found = new Map();
    for (const row of rows)
      for (let i = base.row_start[row]; i < base.row_start[row + 1]; i++) {
        const s = base.entry_fact[i], first = base.level_start[s], factors = [];
        for (let k = 0; first + k < base.level_start[s + 1]; k++)
          if (reach[first + k]) factors.push(base.level_factor[base.entry_offset[i] + k]);
        const best = Math.max(...factors), share = factors.map(x => best > 0 ? x / best : 1.0);
        found.set(s, found.has(s) ? found.get(s).map((x, k) => x * share[k]) : share);
      }
    return found;
  }
  function thinned(values) {
    const kept = values.slice(0, 1);
    for (const value of values) if (value * ALIKE < kept[kept.length - 1]) kept.push(value);
    return kept;
  }
  function boundsOf(shares) {
    let values = [1.0], shuts = false;
    for (const share of shares) {
      shuts = shuts || Math.min(...share) === 0;
      const all = values.flatMap(v => share.filter(x => x > 0).map(x => v * x));
      values = thinned(all.sort((a, b) => b - a));
    }
    const bounds = [1.0];
    for (const value of values)
      if (value * ABOVE <= HALF * bounds[bounds.length - 1] && bounds.length < MOST_BOUNDS) bounds.push(value * ABOVE);
    if (shuts) bounds.push(0.0);
    return bounds.reverse();
  }
  /** Groups of channels under the same gates that save enough: {gate, members, bounds}, and each channel's group or -1. */
  function grouped(base, reach, rates) {
    const R = base.row_start.length - 1, lowest = [], under = new Map(), of = new Int32Array(C).fill(-1), groups = [];
    for (let row = 0; row < R; row++) {
      let product = 1.0;
      for (const share of sharesOf(base, reach, [row]).values()) product *= Math.min(...share);
      lowest.push(product);
    }
    let total = 0.0, rest = 0.0;
    for (let c = 0; c < C; c++) {
      total += rates[c];
      const gate = [base.background_gate[c], base.channel_gate[c]];
      const saved = rates[c] * (1.0 - lowest[gate[0]] * lowest[gate[1]]), code = gate[0] * R + gate[1];
      if (!(saved > 0)) continue;
      if (!under.has(code)) under.set(code, {code, gate, members: [], saved: 0.0});
      under.get(code).members.push(c);
      under.get(code).saved += saved;
    }
    const sorted = [...under.values()].sort((a, b) => a.code - b.code), looked = new Int32Array(S);
    for (const one of sorted) rest += one.saved;
    const few = LEFT_OUT * (1.0 + 1e-9) * total;
    for (const one of sorted.sort((a, b) => b.saved - a.saved || a.code - b.code)) {
      if (rest <= few) break;
      rest -= one.saved;
      const shares = sharesOf(base, reach, one.gate), facts = [...shares.keys()], bounds = boundsOf(shares.values());
      if (bounds.length < 2 || facts.some(s => looked[s] >= MOST_GROUPS)) continue;
      for (const s of facts) looked[s]++;
      for (const c of one.members) of[c] = groups.length;
      groups.push({...one, bounds});
    }
    return {groups, of};
  }
  function stripsOf(base, {groups}, rates, tops, opens) {
    const strips = [], readers = Array.from({length: S}, () => []);
    groups.forEach((one, g) => {
      const pieces = one.bounds.slice(1).map((upper, k) => [k, one.bounds[k], upper, one.members]);
      for (let layer = 1; layer <= LAYERS; layer++) {
        const at = 2 ** (layer - 1);
        pieces.push([LAYER_ADDRESS + layer, at, 2.0 * at, one.members.filter(c => tops[c] > at * rates[c])]);
      }
      for (const [number, low, upper, who] of pieces)
        if (who.length)
          strips.push({group: g, address: one.members[0] * ADDRESSES + number, low, who, from: who.map(c => low * rates[c]),
            width: who.map(c => upper * rates[c] - low * rates[c])});
      const facts = new Set();
      for (const row of one.gate) for (let i = base.row_start[row]; i < base.row_start[row + 1]; i++) facts.add(base.entry_fact[i]);
      for (const s of facts) readers[s].push(g);
    });
    const most = opens.flatMap(open => groups.map(one => one.members.reduce((x, c) => Math.max(x, open[c] / rates[c]), -Infinity)));
    return {gate: groups.map(one => one.gate), strips, most, readers};
  }
  /** Days of a strip's block: 2 ** (the exponent of BLOCK / rate as a fraction in [0.5, 1)). */
  function blockDays(rate) {
    let days = 2.0 ** Math.round(Math.log2(BLOCK / rate));
    while (days > 2.0 * (BLOCK / rate)) days /= 2.0;
    while (days <= BLOCK / rate) days *= 2.0;
    return days;
  }
  function layersOf(base, tops) {
    const none = {edge: new Float64Array(E), rate: new Float64Array(C)};
    const streams = [{number: 0, from: none, width: base}];
    for (let layer = 1; layer <= LAYERS; layer++) {
      const low = 2 ** (layer - 1);
      const part = key => base[key].map((b, i) => tops[key][i] > low * b ? low * b : 0.0);
      const both = {edge: part("edge"), rate: part("rate")};
      streams.push({number: layer, from: both, width: both});
    }
    const most = 2 ** LAYERS, from = {}, width = {};
    for (const key of ["edge", "rate"]) {
      from[key] = base[key].map(b => most * b);
      width[key] = base[key].map((b, i) => {
        const rest = tops[key][i] - most * b;
        return rest > 0 ? 2 ** Math.ceil(Math.log2(rest)) : 0.0;
      });
    }
    streams.push({number: NEW, from, width});
    const any = array => array.some(x => x !== 0);
    return streams.filter(s => s.number === 0 || any(s.width.edge) || any(s.width.rate));
  }
  function alias(start, weight) {
    const mark = top;
    let longest = 0;
    for (let i = 1; i < start.length; i++) longest = Math.max(longest, start[i] - start[i - 1]);
    const keep = room("float64", weight.length), other = room("int64", weight.length), sums = room("float64", start.length - 1);
    call("alias_rows", {start: put("int64", start), weight: put("float64", weight), keep, other, sums,
      small: room("int64", longest), large: room("int64", longest)});
    const out = {keep: view(keep).slice(), other: small(other), sums: view(sums).slice()};
    top = mark;
    return out;
  }
  function propose(base, phases, initial) {
    const systems = phases.map(phase => phase.system);
    const reach = reachable(base, [base], []);
    const low = ceilings(base, reach), asleep = grouped(base, reach, low.rate);
    const more = reachable(base, systems, [...[...initial].map((level, fact) => [fact, level]), ...phases.flatMap(p => p.levels)]);
    for (let i = 0; i < reach.length; i++) reach[i] |= more[i];
    const tops = {edge: new Float64Array(E).fill(-Infinity), rate: new Float64Array(C).fill(-Infinity)};
    const opens = new Map();
    for (const system of new Set(systems)) {
      const found = ceilings(system, reach);
      opens.set(system, found.open);
      for (const key of ["edge", "rate"]) found[key].forEach((x, i) => { if (x > tops[key][i]) tops[key][i] = x; });
    }
    const empty = row => base.row_start[row + 1] === base.row_start[row];
    const freeChannel = c => empty(base.channel_gate[c]) && base.calm_low_start[c + 1] === base.calm_low_start[c];
    const freeRate = c => freeChannel(c) && empty(base.background_gate[c]) && base.profile[c] < 0 &&
      systems.every(system => system.rate[c] >= low.rate[c]);
    const freeEdge = e => freeChannel(base.edge_target[e]) && empty(base.edge_gate[e]) &&
      systems.every(system => system.edge_mass[e] >= low.edge[e]);
    const source = new Int32Array(E);
    for (let c = 0; c < C; c++) for (let e = base.edge_start[c]; e < base.edge_start[c + 1]; e++) source[e] = c;
    const streams = layersOf(low, tops);
    const background = [], backgroundFrom = [], backgroundWidth = [], backgroundStart = [0];
    const entry = [], entryFrom = [], entryWidth = [], start = [0];
    for (const stream of streams) {
      const first = stream.number === 0;
      for (let c = 0; c < C; c++) {
        const g = asleep.of[c];
        const share = g < 0 || stream.number === NEW ? 1.0 : first ? asleep.groups[g].bounds[0] : 0.0;
        if (stream.width.rate[c] * share > 0) {
          background.push([c, c, first && freeRate(c) ? 1 : 0]);
          backgroundFrom.push(stream.from.rate[c]);
          backgroundWidth.push(stream.width.rate[c] * share);
        }
      }
      backgroundStart.push(background.length);
      const counts = new Int32Array(C);
      for (let e = 0; e < E; e++)
        if (stream.width.edge[e] > 0) {
          entry.push([e, base.edge_target[e], base.edge_mechanism[e], base.edge_gate[e], e, first && freeEdge(e) ? 1 : 0, -1]);
          entryFrom.push(stream.from.edge[e]);
          entryWidth.push(stream.width.edge[e]);
          counts[source[e]]++;
        }
      for (let c = 0; c < C; c++) start.push(start[start.length - 1] + counts[c]);
    }
    const seldom = stripsOf(base, asleep, low.rate, tops.rate, systems.map(system => opens.get(system)));
    for (const strip of seldom.strips) {
      for (const c of strip.who) background.push([c, c, 0]);
      backgroundFrom.push(...strip.from);
      backgroundWidth.push(...strip.width);
      backgroundStart.push(background.length);
    }
    const ofBackground = alias(backgroundStart, backgroundWidth), ofEntries = alias(start, entryWidth);
    background.forEach((row, i) => { row[1] = ofBackground.other[i]; });
    entry.forEach((row, i) => { row[4] = ofEntries.other[i]; });
    const branch = [];
    for (const mean of ofEntries.sums) {
      const parts = Math.max(Math.ceil(mean / LARGEST_MEAN), 1.0), each = mean / parts;
      branch.push(each, parts, exponential(-each));
    }
    return {streams: streams.map(s => s.number), seldom, backgroundStart, background, backgroundKeep: ofBackground.keep,
      backgroundFrom, backgroundWidth, rates: ofBackground.sums, start, entry, entryKeep: ofEntries.keep, entryFrom,
      entryWidth, branch};
  }
  const pad = new DataView(new ArrayBuffer(8));
  function bits(x) { pad.setFloat64(0, x + 0.0); return pad.getBigInt64(0); }
  function addresses(times, contents) {
    const seen = new Map();
    return times.map((time, i) => {
      const pair = `${time} ${contents[i]}`;
      const nth = (seen.has(pair) ? seen.get(pair) : -1) + 1;
      seen.set(pair, nth);
      return BigInt.asIntN(64, bits(time) + BigInt(contents[i]) * GOLDEN + (BigInt(nth) << 40n));
    });
  }
  function stableBy(list, key) { return list.map((x, i) => [key(x), i, x]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(t => t[2]); }
  function differences(array) { return Array.from(array).slice(1).map((x, i) => x - array[i]); }
  function cumulative(system) {
    const until_ = system.kernel_share.slice();
    for (let m = 0; m + 1 < system.kernel_start.length; m++)
      for (let j = system.kernel_start[m] + 1; j < system.kernel_start[m + 1]; j++) until_[j] = until_[j - 1] + until_[j];
    return until_;
  }

  /** The tables of a world whose window begins on day 0, as plain lists: {at, ints, floats, entry, keep}. */
  function tables(world) {
    const base = world.base, begin = 0.0;
    const initial = base.initial_level.slice();
    const early = world.phases.filter(phase => phase.at <= begin);
    for (const phase of early) for (const [fact, level] of phase.levels) initial[fact] = level;
    const phases = [{at: begin, system: early[early.length - 1].system, levels: []}, ...world.phases.filter(p => p.at > begin)];
    const systems = phases.map(phase => phase.system);
    const entries = propose(base, phases, initial);
    const channel = [];
    for (let c = 0; c <= C; c++) {
      const has = array => c < C && array[c + 1] > array[c];
      channel.push(...(c < C ? [base.background_gate[c], base.channel_gate[c], base.profile[c],
        (has(base.effect_start) ? 1 : 0) + (has(base.calm_add_start) ? 2 : 0) + (has(base.calm_low_start) ? 4 : 0)] : [0, 0, 0, 0]),
        base.effect_start[c], base.calm_add_start[c], base.calm_low_start[c]);
    }
    const policies = stableBy(world.policies, policy => policy.fact);
    const facts = [];
    for (let s = 0; s <= S; s++)
      facts.push(s < S ? initial[s] : 0, base.level_start[s], policies.filter(p => p.fact < s).length);
    const holds = [], policy = [];
    const content = policies.map(p => (p.channel * 8191 + p.fact) * 131 + p.levels.reduce((sum, level) => sum + 2 ** level, 0));
    const address = addresses(policies.map(p => p.days), content);
    policies.forEach((p, i) => {
      policy.push(holds.length, p.channel, address[i], p.fact);
      for (let level = 0; level < base.level_start[p.fact + 1] - base.level_start[p.fact]; level++)
        holds.push(p.levels.includes(level) ? 1 : 0);
    });
    const acts = stableBy(world.acts.filter(act => act.at >= begin), act => act.at);
    const actTime = acts.map(act => act.at), actAddress = addresses(actTime, acts.map(act => act.channel));
    const setStart = [0];
    for (const phase of phases) setStart.push(setStart[setStart.length - 1] + phase.levels.length);
    const cellFact = [];
    for (let s = 0; s < S; s++) for (let i = base.level_start[s]; i < base.level_start[s + 1]; i++) cellFact.push(s);
    const timer = [];
    for (let cell = 0; cell < cellFact.length; cell++)
      for (let j = base.timer_start[cell]; j < base.timer_start[cell + 1]; j++)
        timer.push(cellFact[cell], base.timer_channel[j], base.timer_is_fixed[j]);

    const {strips, gate, most, readers} = entries.seldom, L = entries.streams.length;
    const strip = strips.flatMap((one, i) => [one.group, one.address, entries.backgroundStart[L + i]]);
    strip.push(0, 0, entries.backgroundStart[L + strips.length]);
    const firstStrip = g => strips.filter(one => one.group < g).length;
    const group = [...gate, [0, 0]].flatMap((rows, g) => [...rows, firstStrip(g)]);
    const readersStart = [0];
    for (const one of readers) readersStart.push(readersStart[readersStart.length - 1] + one.length);

    const ints = [], floats = [], at = {};
    const whole = (name, list) => { at[name] = ints.length; for (const x of list) ints.push(x); };
    const real = (name, list) => { at[name] = floats.length; for (const x of list) floats.push(x); };
    const pairs = (a, b) => { const out = []; for (let i = 0; i < a.length; i++) out.push(a[i], b[i]); return out; };
    Object.assign(at, {n_channels: C, n_facts: S, n_phases: phases.length, n_streams: entries.streams.length,
      n_timers: base.timer_channel.length, n_policies: policies.length, n_calms: base.calm_decay.length, n_acts: acts.length,
      n_past: 0, n_entries: entries.entry.length,
      n_changes: Math.max(S, ...differences(base.effect_start), ...differences(setStart)),
      n_strips: strips.length, n_groups: gate.length});
    whole("fact", facts);
    whole("row_start", base.row_start);
    whole("gate", pairs(base.entry_fact, base.entry_offset));
    whole("channel", channel);
    whole("profile_start", base.profile_start);
    whole("stream", pairs([...entries.streams, 0], entries.backgroundStart.slice(0, L + 1)));
    whole("branch_start", entries.start);
    whole("background", entries.background.flat());
    whole("strip", strip);
    whole("group", group);
    whole("fact_group_start", readersStart);
    whole("fact_group", readers.flat());
    whole("kernel_start", base.kernel_start);
    whole("effect", pairs(base.effect_fact, base.effect_level));
    whole("timer_start", base.timer_start);
    whole("timer", timer);
    whole("policy", policy);
    whole("policy_holds", holds);
    whole("calm_add", base.calm_add_index);
    whole("calm_low", base.calm_low_index);
    whole("phase", pairs([...phases.map(phase => bits(phase.at)), 0], setStart));
    whole("phase_set", phases.flatMap(phase => phase.levels.flat()));
    whole("act", pairs(acts.map(act => act.channel), actAddress));
    whole("past", []);
    real("background_rate", entries.rates.slice(0, L));
    real("background_f", entries.background.flatMap((_, i) => [entries.backgroundKeep[i], entries.backgroundFrom[i], entries.backgroundWidth[i]]));
    real("strip_f", strips.flatMap((one, i) => [one.low, entries.rates[L + i], blockDays(entries.rates[L + i])]));
    real("branch", entries.branch);
    real("entry_f", entries.entry.flatMap((_, i) => [entries.entryFrom[i], entries.entryWidth[i]]));
    real("policy_f", policies.flatMap(p => [p.days, p.start, p.end]));
    real("phase_time", phases.map(phase => phase.at));
    real("act_time", actTime);
    real("past_time", []);
    const each = (name, of) => real(name, systems.flatMap(system => Array.from(of(system))));
    each("factor", s => s.level_factor);
    at.n_factor = base.level_factor.length;
    each("rate", s => s.rate);
    each("mass", s => s.edge_mass);
    at.n_mass = E;
    each("step", s => pairs(s.step_time, s.step_value));
    at.n_step = 2 * base.step_time.length;
    each("season", s => pairs(s.profile_swing, s.profile_peak));
    at.n_season = 2 * base.profile_swing.length;
    each("kernel", s => pairs(cumulative(s), s.kernel_decay.map(decay => 1.0 / decay)));
    at.n_kernel = 2 * base.kernel_decay.length;
    each("effect_probability", s => s.effect_probability);
    at.n_effect = base.effect_fact.length;
    each("timer_mean", s => s.timer_delay);
    each("calm_decay", s => s.calm_decay);
    each("calm_amount", s => s.calm_add_amount);
    at.n_calm_amount = base.calm_add_index.length;
    each("calm_strength", s => s.calm_low_strength);
    at.n_calm_strength = base.calm_low_index.length;
    real("most", most);
    const words = entries.entry.flatMap((row, i) => [...row, bits(entries.entryKeep[i])]);
    return {at, ints, floats, entry: words};
  }

  // -- Runs: `engine.simulation.chunks` and `simulate.jobs`.
  function rootKey(seed) {
    const whole = BigInt(seed);
    let key = 0x706F776465726B67n;
    for (const word of [whole & MASK, (whole >> 64n) & MASK]) {
      let x = ((key ^ word) + GOLDEN) & MASK;
      x = ((x ^ (x >> 33n)) * 0xFF51AFD7ED558CCDn) & MASK;
      x = ((x ^ (x >> 33n)) * 0xC4CEB9FE1A85EC53n) & MASK;
      key = x ^ (x >> 33n);
    }
    return key;
  }
  let seen = 0;  // candidates of a replicate, in the piece before: sizes buffers, changes nothing
  let slots = 4096, events = 1 << 16;

  /** A job: tables in memory, buffers beside them. `piece(first, last)` runs replicates and leaves their events there. */
  function job(world, {seed, days, limit}) {
    top = bottom;
    const made = tables(world), at = made.at, root = rootKey(seed);
    const cells = made.ints[at.fact + 3 * S + 1], WIDTH = widthOf(cells);
    const entry = put("int64", made.entry);
    const fixed = {at, ints: put("int64", made.ints), floats: put("float64", made.floats), entry,
      keep: {...entry, type: "float64"}, root, begin: 0.0, horizon: days, limit, is_complete: false};
    const state = room("int64", S * 2 + at.n_policies + 2 * at.n_changes + at.n_streams + 2 * at.n_strips);
    const state_f = room("float64", 2 * at.n_calms + at.n_streams + S + at.n_groups + at.n_strips);
    const control = room("float64", 4), mark = top;

    /** Replicates first .. last - 1. */
    function piece(first, last) {
      const n = last - first;
      for (;;) {
        top = mark;
        const result = room("float64", n, WIDTH);
        const queue = {counts: room("int64", 5), slot_time: room("float64", slots), slot_key: room("uint64", slots),
          slot: room("int64", slots * SLOT_WORDS), heap_time: room("float64", slots), heap_slot: room("int64", slots),
          head: room("int64", Math.min(Math.max(Math.round(seen), 16), 65536))};
        const out = {time: room("float64", events), channel: room("int32", events), parent: room("int32", events),
          mechanism: room("int16", events), key: room("uint64", events)};
        view(control).set([0, 0, 0, Math.max(2 * limit, LEAST_WAITING)]);
        view(queue.counts).fill(0);
        const [done, why] = call("run", {...fixed, first, done: 0, n_replicates: n, result, state, state_f, queue, out, control});
        if (done > 0) seen = view(control)[2] / done;
        if (why === FULL) {
          // What is done is kept; a replicate that does not fit into all of the room gets more of it.
          if (done > 0) return {first, n: done, result: {...result, shape: [done, WIDTH], n: done * WIDTH}, out, cells};
          events *= 2;
        } else if (why === NO_SLOTS) {
          if (done > 0) return {first, n: done, result: {...result, shape: [done, WIDTH], n: done * WIDTH}, out, cells};
          slots = 2 * slots + at.n_timers + at.n_policies;
        } else if (why === FINISHED) return {first, n: done, result, out, cells};
        else throw new Error(`the simulation stopped (${why})`);
      }
    }
    return {piece, fixed, made, cells, days};
  }
  /** Of a row of `result`: events, exploded, day reached, then days at each level by cell and the first day at each. */
  function widthOf(cells) { return 3 + 2 * cells; }
  const reached = (piece, r) => view(piece.result)[r * widthOf(piece.cells) + 2];
  function offsetsOf(piece) {
    const rows = view(piece.result), offsets = [0];
    for (let r = 0; r < piece.n; r++) offsets.push(offsets[r] + rows[r * widthOf(piece.cells)]);
    return offsets;
  }

  // -- Counts: `analyze.outcomes`, `analyze.episodes`, `compare.measures`.
  const questions = model.outcomes.filter(one => one.group === "questions");
  const asked = questions.filter(one => one.channels);
  const told = model.standoffs;
  const END_STATES = ["resolved", "suspended", "spent", "chained", "open"];
  const STANDOFFS = ["standoffs", "hurt", "deaths", "killed", "days_in_standoff", "resolved", "suspended", "spent", "chained"];

  const marked = model.record_marks.flatMap(channels => {
    const row = new Array(C).fill(0);
    for (const c of channels) row[c] = 1;
    return row;
  });

  function counted(piece, offsets) {
    const lists = Array.from({length: C}, () => []);
    asked.forEach((one, k) => one.channels.forEach(c => lists[c].push(k)));
    const start = [0];
    for (const list of lists) start.push(start[start.length - 1] + list.length);
    const width = asked.length ? asked[0].via.length : 0;
    const counts = room("int64", piece.n, asked.length), first = room("float64", piece.n, asked.length);
    view(counts).fill(0);
    view(first).fill(Infinity);
    call("tally", {offsets: put("int64", offsets), ...piece.out, wanted_start: put("int64", start),
      wanted: put("int64", lists.flat()), via: put("bool", asked.flatMap(one => one.via), asked.length, width),
      lowest_mechanism: told.lowest_mechanism, counts, first});
    return {counts: small(counts), first: view(first).slice()};
  }
  /** Standoffs of every replicate of a piece. */
  function standoffs(piece, offsets) {
    let rows = 256 + piece.n, stream = 0, n = 0, whole, real, wrong;
    const given = {offsets: put("int64", offsets), time: piece.out.time, channel: piece.out.channel,
      heat: put("float64", told.score_heat), marks: put("uint8", told.marks), rule: put("float64", told.rule),
      horizon: put("float64", Array.from({length: piece.n}, (_, r) => reached(piece, r)))};
    const mark = top;
    for (;;) {
      top = mark;
      whole = room("int64", rows, 5);
      real = room("float64", rows, 5);
      [stream, n, wrong] = call("cut_episodes", {...given, whole, real, stream: 0, n: 0});
      if (wrong >= 0) throw new Error(`event ${wrong} stands before the one above it in time`);
      if (stream === piece.n) break;
      rows *= 4;
    }
    const w = small(whole), f = view(real).slice();
    const column = k => put("int64", Array.from({length: n}, (_, i) => w[5 * i + k]));
    const actors = Math.max(1, told.actors.length), joinedRows = Math.max(64, n) * 1 + n * actors + actors;
    const marks = model.record_marks, width = 3 + marks.length;
    const counts = room("int64", n, width), seen_ = put("int64", new Array(actors).fill(-1)), joined = room("int64", joinedRows, 2);
    view(counts).fill(0);
    const table = [...told.source, ...told.target, ...new Array(C).fill(-1), ...told.hurts,
      ...told.score_heat.map(x => x > 0 ? 1 : 0), ...told.heat.map(x => x > 0 ? 1 : 0), ...marked];
    const [, nJoined] = call("describe_episodes", {first: column(1), stop: column(2), opener: column(4), channel: piece.out.channel,
      tables: put("int64", table, 6 + marks.length, C), n_classes: 0, counts, seen: seen_, joined, done: 0, n_joined: 0});
    const kinds = small(counts), who = small(joined), found = [];
    for (let i = 0; i < n; i++)
      found.push({replicate: w[5 * i], first: w[5 * i + 1], stop: w[5 * i + 2], kind: END_STATES[w[5 * i + 3]],
        opener: w[5 * i + 4], start: f[5 * i], last: f[5 * i + 1], end: f[5 * i + 2], peak: f[5 * i + 3],
        counted: kinds[width * i], hurt: kinds[width * i + 1] > 0, killed: kinds[width * i + 2], joined: [],
        marks: marks.map((_, k) => kinds[width * i + 3 + k] > 0)});
    for (let j = 0; j < nJoined; j++) found[who[2 * j]].joined.push(who[2 * j + 1]);
    return found;
  }

  /** A collector of outcomes over the replicates of a run. */
  function collector(replicates, days) {
    const years = days / YEAR, values = {};
    for (const one of questions) values[one.id] = new Float64Array(replicates);
    for (const name of STANDOFFS) values[`standoffs.${name}`] = new Float64Array(replicates);
    const exploded = new Uint8Array(replicates), size = new Float64Array(replicates);
    function add(piece, to) {
      const offsets = offsetsOf(piece), mark = top;
      const {counts, first} = counted(piece, offsets);
      const rows = view(piece.result).slice(), width = widthOf(piece.cells);
      let k = 0;
      for (const one of questions) {
        const into = values[one.id];
        if (one.cells) {
          for (let r = 0; r < piece.n; r++) {
            if (one.kind !== "share") {  // days until it is first so, or whether it ever is
              let day = Infinity;
              for (const cell of one.cells) day = Math.min(day, rows[r * width + 3 + piece.cells + cell]);
              into[to + r] = one.kind === "chance" ? (day < Infinity ? 1 : 0) : Number.isFinite(day) ? day : rows[r * width + 2];
              continue;
            }
            const sum = (from, end) => { let s = 0; for (let i = from; i < end; i++) s += rows[r * width + 3 + i]; return s; };
            const whole = sum(one.of[0], one.of[1]);
            let part = 0;
            for (const cell of one.cells) part += rows[r * width + 3 + cell];
            into[to + r] = whole > 0 ? part / whole : 0;
          }
          continue;
        }
        for (let r = 0; r < piece.n; r++) {
          const n = counts[r * asked.length + k], when = first[r * asked.length + k];
          into[to + r] = one.kind === "chance" ? (n > 0 ? 1 : 0) : one.kind === "count" ? n / years
            : Number.isFinite(when) ? when : rows[r * width + 2];
        }
        k++;
      }
      for (const one of standoffs(piece, offsets)) {
        const r = to + one.replicate, plus = (name, x) => { values[`standoffs.${name}`][r] += x; };
        plus("standoffs", 1);
        plus("hurt", one.hurt ? 1 : 0);
        plus("deaths", one.killed > 0 ? 1 : 0);
        plus("killed", one.killed);
        plus("days_in_standoff", Math.floor(one.last) - Math.floor(one.start) + 1);
        if (one.kind !== "open") plus(one.kind, 1);
      }
      for (let r = 0; r < piece.n; r++) {
        exploded[to + r] = rows[r * width + 1];
        size[to + r] = rows[r * width];
      }
      top = mark;
    }
    function done(n) {
      const kept = {};
      for (const [name, all] of Object.entries(values)) kept[name] = all.slice(0, n);
      for (const name of STANDOFFS) kept[`standoffs.${name}`] = kept[`standoffs.${name}`].map(x => x / years);
      return {outcomes: kept, exploded: exploded.slice(0, n), size: size.slice(0, n)};
    }
    return {add, done};
  }

  // -- The record: `score.lines`.
  const calendarDays = one => Math.floor(one.last) - Math.floor(one.start) + 1;
  function meant(selection, one, opener) {
    return (!selection.opener.length || selection.opener.includes(opener)) &&
      (!selection.end_state.length || selection.end_state.includes(one.kind)) &&
      (selection.hurt === null || selection.hurt === one.hurt) &&
      (selection.deaths === null || selection.deaths === one.killed > 0) &&
      (selection.longer_than === null || calendarDays(one) > selection.longer_than) &&
      (!selection.mark.length || selection.mark.some(k => one.marks[k]));
  }
  function quantile(values, share) {
    const sorted = [...values].sort((a, b) => a - b), place = share * (sorted.length - 1), low = Math.floor(place);
    return sorted.length ? sorted[low] + (place - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]) : NaN;
  }
  /** A line's number in one history, NaN where there is none; `found` are its standoffs with their openers. */
  function lineValue(line, found, years) {
    const number_ = selection => found.filter(([one, opener]) => meant(selection, one, opener)).length;
    if (line.rate) return number_(line.rate) * line.per / years;
    if (line.sum) return found.reduce((n, [one]) => n + one[line.sum], 0) * line.per / years;
    if (line.share) {
      const whole = found.filter(([one, opener]) => !line.of || meant(line.of, one, opener));
      return whole.filter(([one, opener]) => meant(line.share, one, opener)).length / whole.length;
    }
    if (line.length) return quantile(found.map(([one]) => calendarDays(one)), line.length);
    const starts = found.map(([one]) => one.start).sort((a, b) => a - b), gaps = starts.slice(1).map((t, i) => t - starts[i]);
    const mean = gaps.reduce((a, b) => a + b, 0) / gaps.length;
    if (line.gap === "mean") return mean;
    if (line.gap === "median") return quantile(gaps, 0.5);
    return gaps.length < 2 ? NaN : Math.sqrt(gaps.reduce((a, x) => a + (x - mean) ** 2, 0) / (gaps.length - 1)) / mean;
  }
  /** Sum and number of each line's values over histories as long as the record; null where `between` says to stop. */
  async function recordOf({world, first, replicates, seed, paired, limit, between}) {
    const days = model.record_days, total = Object.fromEntries(model.record.map(line => [line.id, [0, 0]]));
    const made = job(worldOf(world, days, paired), {seed, days, limit});
    let done = 0;
    while (done < replicates) {
      const piece = made.piece(first + done, first + Math.min(done + 32, replicates));
      const channels = view(piece.out.channel).slice(0, offsetsOf(piece)[piece.n]);
      const histories = Array.from({length: piece.n}, () => []);
      for (const one of standoffs(piece, offsetsOf(piece)))
        histories[one.replicate].push([one, model.channels[channels[one.opener]].source]);
      for (const history_ of histories)
        for (const line of model.record) {
          const x = lineValue(line, history_, days / YEAR);
          if (Number.isFinite(x)) { total[line.id][0] += x; total[line.id][1] += 1; }
        }
      done += piece.n;
      if (!(await between(done))) return null;
    }
    return total;
  }

  /** Outcomes of many replicates, piece by piece; `between` is awaited after each and ends the job where it is false. */
  async function run({world = {}, replicates = model.replicates, first = 0, years = model.years, seed = model.seed,
    paired = false, limit = model.limit, recorded = 0, between = async () => true}) {
    checked({replicates, years, seed});
    const days = years * YEAR;
    const made = job(worldOf(world, days, paired), {seed, days, limit});
    const collected = collector(replicates, days);
    let done = 0, stopped = 0;
    while (done < replicates) {
      const trial = replicates > TRIAL && replicates * limit > AFFORDABLE && done < TRIAL;
      const each = trial ? 1 : Math.max(1, Math.min(64, Math.round(60000 / Math.max(seen, 1))));
      const piece = made.piece(first + done, first + Math.min(done + each, replicates));
      collected.add(piece, done);
      const rows = view(piece.result);
      for (let r = 0; r < piece.n; r++) stopped += rows[r * widthOf(piece.cells) + 1] > 0 ? 1 : 0;
      done += piece.n;
      if (trial && done === TRIAL && stopped === TRIAL) break;
      if (done < replicates && !(await between(done))) return null;
    }
    const found = collected.done(done);
    let record = null;
    if (recorded > 0 && model.record.length && !stopped) {
      record = await recordOf({world, first, replicates: Math.min(recorded, done), seed, paired, limit, between});
      if (record === null) return null;
    }
    return {replicates: done, capped: stopped, blame: stopped ? stability({world}).blame : null, record, ...found};
  }

  /** Every event of some replicates, as columns, with their standoffs; `key` only where asked for. */
  function eventsOf({world = {}, replicates = 1, first = 0, years = model.years, seed = model.seed, paired = false,
    limit = model.limit, extra, keys = false}) {
    checked({replicates, years, seed});
    const days = years * YEAR, asked_ = worldOf(world, days, paired, extra);
    const made = job(asked_, {seed, days, limit});
    const names = ["time", "channel", "parent", "mechanism", ...(keys ? ["key"] : [])];
    const columns = Object.fromEntries(["replicate", ...names].map(name => [name, []]));
    const collected = collector(replicates, days), found = [], ends = [], offsets = [0];
    let done = 0;
    while (done < replicates) {
      const piece = made.piece(first + done, first + Math.min(done + 16, replicates));
      const own = offsetsOf(piece), n = own[piece.n];
      for (const name of names) for (const x of view(piece.out[name]).subarray(0, n)) columns[name].push(x);
      for (let r = 0; r < piece.n; r++) {
        for (let i = own[r]; i < own[r + 1]; i++) columns.replicate.push(first + done + r);
        offsets.push(offsets[offsets.length - 1] + own[r + 1] - own[r]);
        ends.push(reached(piece, r));
      }
      const mark = top;
      for (const one of standoffs(piece, own)) found.push({...one, replicate: done + one.replicate});
      top = mark;
      collected.add(piece, done);
      done += piece.n;
    }
    const done_ = collected.done(replicates), total = done_.outcomes["standoffs.standoffs"];
    const length = done_.outcomes["standoffs.days_in_standoff"], sum = array => array.reduce((a, b) => a + b, 0);
    if (sum(total) > 0) {  // a ratio over runs, linearised: its mean is the ratio, its spread what the error follows from
      const ratio = sum(length) / sum(total), mean = sum(total) / replicates;
      done_.outcomes["standoffs.mean_days"] = total.map((x, i) => ratio + (length[i] - ratio * x) / mean);
    }
    return {columns, offsets, standoffs: found, ends, world: asked_, days, ...done_};
  }

  const MECHANISM = {[-1]: null, [-2]: "(scheduled)", [-3]: "(timer)"};
  /** Rows of acts as `Runs.table` gives them: causes that are no acts are climbed over. Row numbers within the replicate. */
  function acts({columns, offsets}) {
    const rows = [];
    for (let r = 0; r + 1 < offsets.length; r++) {
      const place = new Map();
      for (let i = offsets[r]; i < offsets[r + 1]; i++) {
        const c = columns.channel[i];
        if (c >= model.n_acts) continue;
        let above = columns.parent[i];
        while (above >= 0 && columns.channel[offsets[r] + above] >= model.n_acts) above = columns.parent[offsets[r] + above];
        const {source, act, target} = model.channels[c], m = columns.mechanism[i];
        place.set(i - offsets[r], place.size);
        rows.push({replicate: columns.replicate[i], time: columns.time[i], source, act, target, channel: c,
          parent: above >= 0 ? place.get(above) : -1, mechanism: m >= 0 ? model.mechanisms[m] : MECHANISM[m]});
      }
    }
    return rows;
  }
  function drawn(key, j) {
    let x = (key + (BigInt(j) + 1n) * GOLDEN) & MASK;
    x = ((x ^ (x >> 30n)) * 0xBF58476D1CE4E5B9n) & MASK;
    x = ((x ^ (x >> 27n)) * 0x94D049BB133111EBn) & MASK;
    return (Number((x ^ (x >> 31n)) >> 12n) + 0.5) * 2.220446049250313e-16;
  }
  /** How facts and ties stood in a history: [{t, fact, level, by}], from day 0 on; `by` is the event, -1 the world. */
  function turns({columns, world}) {
    const base = world.base, found = [], state = new Int32Array(S);
    const early = world.phases.filter(p => p.at <= 0), later = world.phases.filter(p => p.at > 0);
    state.set(base.initial_level);
    for (const phase of early) for (const [fact, level] of phase.levels) state[fact] = level;
    for (let s = 0; s < S; s++) found.push({t: 0, fact: s, level: state[s], by: -1});
    const set = (t, fact, level, by) => {
      if (state[fact] === level) return;
      state[fact] = level;
      found.push({t, fact, level, by});
    };
    let system = early[early.length - 1].system;
    for (let i = 0; i <= columns.time.length; i++) {
      const now = i < columns.time.length ? columns.time[i] : Infinity;
      while (later.length && later[0].at <= now) {
        const phase = later.shift();
        system = phase.system;
        for (const [fact, level] of phase.levels) set(phase.at, fact, level, -1);
      }
      if (now === Infinity) break;
      const c = columns.channel[i], from = base.effect_start[c];
      for (let n = 0; n < base.effect_start[c + 1] - from; n++) {
        const chance = system.effect_probability[from + n];
        if (chance >= 1 || drawn(columns.key[i], 16 + n) < chance) set(now, base.effect_fact[from + n], base.effect_level[from + n], i);
      }
    }
    return found;
  }
  const FACTS = model.fact_levels;

  /** One history as the page shows it; see `engine.history`. `extra` as for `worldOf`. */
  function history({world = {}, seed = model.seed, replicate = 0, years = model.years, paired = false, limit = model.limit, extra}) {
    const found = eventsOf({world, replicates: 1, first: replicate, years, seed, paired, limit, extra, keys: true});
    const {columns} = found, row = new Int32Array(columns.time.length).fill(-1);
    let n = 0;
    columns.channel.forEach((c, i) => { if (c < model.n_acts) row[i] = n++; });
    const actOf = i => {
      while (i >= 0 && row[i] < 0) i = columns.parent[i];
      return i >= 0 ? row[i] : -1;
    };
    const events = acts(found).map(({time, parent, replicate: _, ...rest}) => ({t: time, cause: parent, ...rest}));
    const value = {};
    for (const [id, all] of Object.entries(found.outcomes)) value[id] = all[0];
    return {
      events,
      standoffs: found.standoffs.map(one => ({start: one.start, last: one.last, end: one.end, kind: one.kind,
        by: model.channels[columns.channel[one.opener]].source, opener: row[one.opener], peak: one.peak, acts: one.counted,
        hurt: one.hurt, deaths: one.killed > 0, killed: one.killed, joined: one.joined.map(a => told.actors[a])})),
      facts: turns({columns, world: found.world}).map(({t, fact, level, by}) => ({t, fact: FACTS[fact][0],
        level: FACTS[fact][1][level], on: level > 0, cause: by < 0 ? -1 : actOf(by), itself: by >= 0 && row[by] < 0})),
      end: found.ends[0], capped: found.exploded[0] > 0, outcomes: value,
      world: found.world,
    };
  }
  const channelOf = new Map(model.channels.slice(0, model.n_acts).map((c, i) => [`${c.source} ${c.act} ${c.target}`, i]));
  function channelNamed({source, act, target}) {
    const c = channelOf.get(`${source} ${act} ${target}`);
    if (c === undefined) throw new Refusal(`${source} ${act} ${target} is nothing that a move allows`);
    return c;
  }
  function nextAfter(t) {
    pad.setFloat64(0, t);
    pad.setBigInt64(0, pad.getBigInt64(0) + 1n);
    return pad.getFloat64(0);
  }

  /**
   * A history in which acts are put in (script: [{t, source, act, target}]) and others do not come about (withhold: the
   * same; `actor` with `from`: all of an actor's own from a day on). All else is drawn as it was: a world of forced acts
   * and of phases, each one moment long, in which one channel is silent. With `at` also what `actor` could do then.
   */
  function play({actor, script = [], withhold = [], from = null, at = null, ...given}) {
    const acts_ = script.map(one => ({at: one.t, channel: channelNamed(one)}));
    const idle = withhold.map(one => ({at: one.t, until: nextAfter(one.t), channels: [channelNamed(one)]}));
    const own = model.channels.flatMap((c, i) => i < model.n_acts && c.source === actor ? [i] : []);
    if (from !== null) idle.push({at: from, until: Infinity, channels: own});
    const {world, ...found} = history({...given, extra: {acts: acts_, idle}});
    const forced = new Set(acts_.map(one => `${one.at} ${one.channel}`));
    for (const event of found.events)
      if (event.mechanism === "(scheduled)" && forced.has(`${event.t} ${event.channel}`)) {
        event.forced = true;
        event.mechanism = null;
      }
    if (at === null) return found;
    const state = world.base.initial_level.slice();
    for (const turn of found.facts)
      if (turn.t < at || turn.t === 0) {
        const s = FACTS.findIndex(([id]) => id === turn.fact);
        state[s] = FACTS[s][1].indexOf(turn.level);
      }
    const {system} = world.phases.filter(phase => phase.at <= at).pop();
    found.allowed = own.filter(c => rowValue(system, system.channel_gate[c], state) > 0).map(c => {
      const {source, act, target} = model.channels[c];
      return {source, act, target};
    });
    return found;
  }
  function rowValue(system, row, state) {
    let product = 1.0;
    for (let i = system.row_start[row]; i < system.row_start[row + 1]; i++)
      product *= system.level_factor[system.entry_offset[i] + state[system.entry_fact[i]]];
    return product;
  }

  // -- How near the brink: `model.stability`, over the states that the scenario as it is can reach.
  const sourceOf = new Int32Array(E);
  for (let c = 0; c < C; c++) for (let e = base0.edge_start[c]; e < base0.edge_start[c + 1]; e++) sourceOf[e] = c;

  /**
   * Growth by generation of answers along edges with these masses, with the share that each edge has in it; null as soon
   * as it is known to stay below `beat` (Collatz and Wielandt: no more than the largest growth of any channel).
   */
  function growth(edges, mass, beat = 0) {
    const n = edges.length, from = edges.map(e => sourceOf[e]), to = edges.map(e => base0.edge_target[e]);
    const right = new Float64Array(C).fill(1), left = new Float64Array(C).fill(1), next = new Float64Array(C);
    const step = (vector, into, out) => {
      next.fill(0);
      for (let k = 0; k < n; k++) next[into[k]] += mass[k] * vector[out[k]];
      // A part of itself is added, which settles matrices that would swing for ever.
      let size = 0, old = 0, most = 0;
      for (let c = 0; c < C; c++) {
        if (next[c] > most * vector[c]) most = next[c] / vector[c];
        next[c] += 0.25 * vector[c];
        size += next[c];
        old += vector[c];
      }
      for (let c = 0; c < C; c++) vector[c] = next[c] / size;
      return [size / old - 0.25, most];
    };
    let ratio = 0;
    for (let k = 0, calm = 0; k < 1000 && calm < 8; k++) {
      const [now, most] = step(right, from, to);
      if (most < beat) return null;
      calm = Math.abs(now - ratio) < 1e-7 * Math.max(now, 1e-3) ? calm + 1 : 0;
      ratio = now;
      step(left, to, from);
    }
    const share = mass.map((m, k) => left[from[k]] * m * right[to[k]]), total = share.reduce((a, b) => a + b, 0);
    return {ratio: ratio < 1e-5 ? 0 : ratio, share: share.map(x => total > 0 ? x / total : 0)};
  }
  /** {initial, worst, blame, share, state}: branching ratios of a world, from its last phase on. */
  function stability({world = {}} = {}) {
    const {base, phases} = worldOf(world, Infinity, false);
    const {system} = phases[phases.length - 1], can = model.reach.can_fire;
    const edges = Array.from({length: E}, (_, e) => e).filter(e => can[sourceOf[e]] && system.edge_mass[e] > 0);
    // Edges under the same gates go up and down together.
    const gates = new Map(), gateOf = edges.map(e => {
      const pair = [system.edge_gate[e], system.channel_gate[system.edge_target[e]]], key = pair.join();
      if (!gates.has(key)) gates.set(key, {pair, index: gates.size});
      return gates.get(key).index;
    });
    const pairs = [...gates.values()].map(one => one.pair), used = [...new Set(pairs.flat())];
    const gatesIn = state => {
      const rows = new Map(used.map(row => [row, rowValue(system, row, state)]));
      return pairs.map(([a, b]) => rows.get(a) * rows.get(b));
    };
    const massesOf = factors => edges.map((e, k) => system.edge_mass[e] * factors[gateOf[k]]);
    const start = (phases.length > 1 ? system : base).initial_level, distinct = new Map();
    for (const levels of [null, ...model.reach.states]) {
      const state = start.slice();
      if (levels) model.reach.axes.forEach((fact, k) => { state[fact] = levels[k]; });
      const factors = gatesIn(state), key = factors.join();
      if (!distinct.has(key)) distinct.set(key, {factors, state, sum: massesOf(factors).reduce((a, b) => a + b, 0)});
    }
    // A ratio grows with every factor: only states that no other exceeds in all of them can be the worst.
    const kept = [];
    for (const one of [...distinct.values()].sort((a, b) => b.sum - a.sum))
      if (!kept.some(other => one.factors.every((x, k) => other.factors[k] >= x))) kept.push(one);
    const initial = growth(edges, massesOf(gatesIn(start))).ratio;
    let worst = {ratio: -1};
    for (const one of kept) {
      const found = growth(edges, massesOf(one.factors), worst.ratio);
      if (found && found.ratio > worst.ratio) worst = {...found, state: one.state};
    }
    const shares = new Map();
    worst.share.forEach((x, k) => {
      const m = base0.edge_mechanism[edges[k]];
      shares.set(m, (shares.get(m) || 0) + x);
    });
    const [most, share] = [...shares].sort((a, b) => b[1] - a[1])[0] || [-1, 0];
    return {initial, worst: worst.ratio, blame: share > 0 ? model.mechanisms[most] : null, share,
      complete: model.reach.complete,
      state: Object.fromEntries(FACTS.flatMap(([id, levels], s) => worst.state[s] !== start[s] ? [[id, levels[worst.state[s]]]] : []))};
  }

  // -- Worlds as files: an intervention over the scenario, so that `powderkeg compare` gives the numbers of the page.
  const UNITS = {rate: " per day", half_life: " days", duration: " days"};
  const quoted = text => JSON.stringify(text);

  /** A scenario file with this world as the intervention `name`, and how to run it. */
  function yaml({world = {}, name = "page_world", title = "", seed = model.seed, replicates = model.replicates, years = model.years}) {
    const {chosen, ties} = switched(world), set = {...(world.set || {}), ...ties};
    split(set);
    const made = [name, ...chosen.map(one => one.id)].join("+");
    const lines = [
      `# ${model.origin}, powderkeg ${model.version}, ${model.digest}. Its numbers, as on the page:`,
      `# powderkeg compare FILE ${made} --seed ${seed} --replicates ${replicates} --years ${years} --no-ranges${model.edits}`,
      `# with: ${chosen.map(one => one.id).join(" ")}`.trimEnd(),
      "powderkeg: 1",
      `includes: [${/^[a-z][a-z0-9_-]*$/.test(model.origin) ? model.origin : quoted(model.origin)}]`,
      `name: ${model.scenario}`,
      `title: ${quoted(model.title)}`,
      `start: ${model.start}`,
      `years: ${model.years}`,
      "interventions:",
      `  ${name}:`,
      `    title: ${quoted(title || "A world of the page")}`,
    ];
    const paths = Object.keys(set).sort();
    if (paths.length) lines.push("    set:");
    for (const path of paths) {
      const value = set[path], kind = indexOf.has(path) ? model.parameters[indexOf.get(path)].kind : null;
      lines.push(`      ${path}: ${kind === null ? (typeof value === "boolean" ? value : quoted(value)) : quoted(`${value}${UNITS[kind] || ""}`)}`);
    }
    return lines.join("\n") + "\n";
  }
  const TIMES = {"": 1, "%": [1, 100], day: 1, days: 1, hour: [1, 24], hours: [1, 24], week: 7, weeks: 7, month: 30.4375,
    months: 30.4375, year: YEAR, years: YEAR, "per day": 1, "per week": [1, 7], "per month": [1, 30.4375], "per year": [1, YEAR]};
  /** The world of such a file. Refuses one of another scenario, and what it cannot read. */
  function parse({text}) {
    const world = {set: {}, on: [], off: [], name: "", title: ""};
    let indent = null, inside = false;
    const of = /^includes:\s*\[?\s*"?([^"\]\s]+)"?\s*\]?\s*$/m.exec(text);
    if (!of || of[1] !== model.origin)
      throw new Refusal(of ? `a world of ${of[1]}; this page holds ${model.origin}` : "no world of a page: it includes no scenario");
    const plain = raw => {
      const word = raw.trim();
      if (word.startsWith('"')) return JSON.parse(word);
      return /^'.*'$/.test(word) ? word.slice(1, -1).replaceAll("''", "'") : word;
    };
    for (const line of text.split(/\r?\n/)) {
      const together = /^# with:(.*)$/.exec(line);
      if (together) world.on.push(...together[1].split(/\s+/).filter(Boolean));
      if (/^\s*(#|$)/.test(line)) continue;
      const depth = /^ */.exec(line)[0].length, [, key, value] = /^\s*([^:]+?)\s*:\s*(.*)$/.exec(line) || [];
      if (key === undefined) throw new Refusal(`a line that is no 'path: value': ${line.trim()}`);
      if (depth === 2 && !inside && value === "") world.name = key;
      if (inside && depth <= indent) inside = false;
      if (inside) {
        const said = plain(value), number_ = /^([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*([A-Za-z% ]*)$/.exec(said);
        if (key in model.levels) world.set[key] = said === "true" ? true : said === "false" ? false : said;
        else if (number_ && number_[2].trim() in TIMES) {
          const unit = TIMES[number_[2].trim()], x = Number(number_[1]);
          world.set[key] = Array.isArray(unit) ? x * unit[0] / unit[1] : x * unit;
        } else throw new Refusal(`${key}: ${said} is no number with a unit`);
      } else if (key === "set") { inside = true; indent = depth; }
      else if (key === "title" && depth === 4) world.title = plain(value);
    }
    split(world.set);
    switched(world);
    for (const path of Object.keys(world.set))
      if (path.startsWith("ties.")) {
        const tie = path.replace(/\.holds$/, "");
        world[world.set[path] ? "on" : "off"].push(tie);
        delete world.set[path];
      }
    return world;
  }

  /** The tables of a world, for tests: whole numbers as text, since they have 64 bits. */
  function tablesOf({world = {}, years = model.years, paired = false}) {
    top = bottom;
    const {at, ints, floats, entry} = tables(worldOf(world, years * YEAR, paired));
    return {at, ints: ints.map(String), floats, entry: entry.map(String)};
  }

  const shown = ({world, ...found}) => found;
  return {run, eventsOf, acts, history: given => shown(history(given)), play: given => shown(play(given)), stability, yaml,
    parse, tablesOf, Refusal};
}

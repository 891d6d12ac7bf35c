// Where does a played history stand? Acts one after the other; branches in which an actor chose otherwise.
// In: a world, a run, the engine. Out: the act of the moment, facts and ties as they stand, choices, branches.

const FORMAT = "powderkeg played history";
const MOST_BRANCHES = 12;
const SOON = 1e-3; // days; an act by hand between two acts comes this much after the one before

class Playback {
  constructor(engine, meta) {
    Object.assign(this, { engine, meta, at: -1, actor: null, branches: [], current: 0, pending: null, moment: null, let: new Set() });
  }

  /** Open a history: {world, seed, replicate, years}. The first branch is the history as it goes by itself. */
  async open(setting) {
    const history = await this.engine.history({ ...setting, world: editsOf(setting.world) });
    if (!history) throw new Error("the engine was busy; try again");
    Object.assign(this, { setting, at: -1, pending: null, moment: null, current: 0, let: new Set() });
    this.branches = [{ name: "By itself", actor: null, script: [], withhold: [], history }];
  }

  get branch() {
    return this.branches[this.current];
  }

  get events() {
    return this.branch.history.events;
  }

  get event() {
    return this.events[this.at] ?? null;
  }

  /** Days since the start: of the act that has just happened, or of a choice after it by which nothing happened. */
  get time() {
    return this.moment ?? this.event?.t ?? 0;
  }

  get ended() {
    return this.at >= this.events.length - 1;
  }

  /** The next act happens, unless it is one of the actor that is played: then its choice is pending. */
  step() {
    if (this.ended || this.pending) return false;
    const next = this.events[this.at + 1];
    if (this.actor && next.source === this.actor && !next.forced && !this.let.has(idOf(next))) {
      this.pending = next;
      return false;
    }
    this.at += 1;
    this.moment = null;
    return true;
  }

  back() {
    this.goTo(this.pending ? this.at : this.at - 1);
  }

  goTo(index) {
    this.pending = null;
    this.moment = null;
    this.at = Math.min(Math.max(index, -1), this.events.length - 1);
  }

  /**
   * To the first act of the next standoff. On the way the actor that is played acts as it does by itself; if the standoff
   * is its own to open, that choice is pending. False if there is none.
   */
  toNextStandoff() {
    const passed = this.pending?.t ?? this.time;
    const next = this.branch.history.standoffs.map((one) => one.start).filter((start) => start > passed + 1e-9).sort((a, b) => a - b)[0];
    if (next === undefined) return false;
    while (!this.ended && this.time < next - 1e-9) {
      if (this.pending && this.pending.t < next - 1e-9) this.letAct();
      else if (!this.step() && this.pending?.t >= next - 1e-9) break;
    }
    return true;
  }

  /** Whether a standoff begins with this act. */
  opens(event) {
    return this.branch.history.standoffs.some((one) => Math.abs(one.start - event.t) < 1e-9);
  }

  /** What the actor could do now instead, as the guards of the scenario have it. */
  async choices() {
    const at = this.pending ? this.pending.t : this.time + SOON;
    const found = await this.engine.play({ ...this.asked(this.branch), actor: this.actor, at });
    return found?.allowed ?? [];
  }

  letAct() {
    this.let.add(idOf(this.pending));
    this.pending = null;
    return this.step();
  }

  /** The actor does something else, or nothing (null), or does something besides where no choice is pending. */
  async choose(move) {
    const { branch, pending } = this;
    const t = pending ? pending.t : this.time + SOON;
    const script = move ? [...branch.script, { t, source: this.actor, act: move.act, target: move.target ?? null }] : branch.script;
    const withhold = pending ? [...branch.withhold, plainAct(pending)] : branch.withhold;
    const next = { name: this.nextName(), actor: this.actor, script, withhold };
    const history = await this.engine.play({ ...this.asked(next), actor: this.actor, at: null });
    if (!history) throw new Error("the engine was busy; try again");
    const kept = { ...next, history };
    // Further choices on one's own branch go on with it; a choice on the history as it was opens a branch.
    if (this.current === 0 || this.branched(branch)) {
      if (this.branches.length >= MOST_BRANCHES) throw new Error(`there are ${MOST_BRANCHES} branches already: drop one first`);
      this.current = this.branches.push(kept) - 1;
    } else this.branches[this.current] = { ...kept, name: branch.name };
    this.pending = null;
    this.moment = t;
    const after = this.events.findIndex((event) => event.t > t + 1e-9);
    this.at = (after < 0 ? this.events.length : after) - 1;
  }

  /** Whether something was chosen after the present moment: going on from here is another branch. */
  branched(branch) {
    const now = this.pending ? this.pending.t : this.time;
    return branch.actor !== this.actor || [...branch.script, ...branch.withhold].some((act) => act.t > now + SOON / 2);
  }

  nextName() {
    const names = this.branches.map((branch) => branch.name);
    let number = 1;
    while (names.includes(`Branch ${number}`)) number += 1;
    return `Branch ${number}`;
  }

  asked(branch) {
    return { ...this.setting, world: editsOf(this.setting.world), script: branch.script, withhold: branch.withhold };
  }

  take(index) {
    const { time } = this;
    this.current = index;
    this.pending = null;
    this.moment = null;
    this.at = this.events.findLastIndex((event) => event.t <= time + 1e-9);
  }

  drop(index) {
    if (index === 0) return;
    const { time } = this;
    this.branches.splice(index, 1);
    if (this.current >= index) this.current = Math.max(0, this.current - 1);
    this.pending = null;
    this.moment = null;
    this.at = this.events.findLastIndex((event) => event.t <= time + 1e-9);
  }

  /** From the spark to the act: indices of events, each the cause of the next. */
  chain(index = this.at) {
    const found = [];
    for (let event = index; event >= 0 && found.length < 200; event = this.events[event].cause) found.unshift(event);
    return found;
  }

  offspring(index = this.at) {
    return this.events.flatMap((event, other) => (event.cause === index ? [other] : []));
  }

  /** Facts as they stand after the act of the moment: [{fact, source, target, level}]. */
  facts() {
    const standing = new Map();
    for (const fact of this.meta.facts) {
      const level = fact.levels ? fact.starts : fact.on;
      if (fact.levels ? level !== fact.levels[0] : level) standing.set(`${fact.id}||`, { fact, level: levelSaid(level) });
    }
    const ties = new Set(this.meta.ties.map((tie) => tie.id));
    for (const row of this.changes((row) => row.fact && !ties.has(row.fact))) {
      const key = `${row.fact}|${row.source ?? ""}|${row.target ?? ""}`;
      const fact = this.meta.facts.find((one) => one.id === row.fact) ?? { id: row.fact, title: row.fact };
      if (row.on) standing.set(key, { fact, level: levelSaid(row.level), source: row.source, target: row.target, since: row.t });
      else standing.delete(key);
    }
    return [...standing.values()];
  }

  /** Ids of the ties that hold now. */
  ties() {
    const { on, off } = this.setting.world;
    const has = (list, tie) => list.includes(tie.id) || list.includes(`ties.${tie.id}`);
    const held = new Set(this.meta.ties.filter((tie) => has(on, tie) || (tie.on && !has(off, tie))).map((tie) => tie.id));
    const ties = new Set(this.meta.ties.map((tie) => tie.id));
    for (const row of this.changes((row) => ties.has(row.tie ?? row.fact))) held[row.on ? "add" : "delete"](row.tie ?? row.fact);
    return held;
  }

  changes(which) {
    const until = this.pending ? this.pending.t - 1e-9 : this.time + 1e-9;
    return this.branch.history.facts.filter((row) => which(row) && row.t <= until);
  }

  /** The played history as a file: choices, not acts; who opens it lives them through again. */
  saved() {
    const { meta, setting } = this;
    const branches = this.branches.slice(1).map(({ name: title, actor, script, withhold }) => ({ name: title, actor, script, withhold }));
    return JSON.stringify({ format: FORMAT, scenario: meta.scenario, digest: meta.digest, version: meta.version,
      setting: { ...setting, world: { name: setting.world.name, ...editsOf(setting.world) } }, branches }, null, 1);
  }

  /** Open such a file. Raises an error in plain words, and then nothing has changed. */
  async load(text, asked) {
    const file = readPlayed(text, this.meta);
    const world = { name: words(file.setting.world?.name ?? "Loaded", LONGEST_NAME), ...asked.checked(file.setting.world ?? {}) };
    const { seed, replicate, years } = file.setting;
    if (![seed, replicate].every((x) => Number.isInteger(x) && x >= 0) || !(years > 0 && years <= 1000)) {
      throw new Error("its run is not told: seed, replicate and years are needed");
    }
    const other = new Playback(this.engine, this.meta);
    await other.open({ world, seed, replicate, years });
    for (const branch of file.branches.slice(0, MOST_BRANCHES - 1)) {
      const history = await this.engine.play({ ...other.asked(branch), actor: branch.actor, at: null });
      if (history) other.branches.push({ ...branch, history });
    }
    const { setting, branches } = other;
    Object.assign(this, { setting, branches, at: -1, pending: null, moment: null, let: new Set(), current: branches.length - 1, actor: branches.at(-1).actor });
  }
}

/** The level of a fact, where it says more than that the fact is the case. */
function levelSaid(level) {
  return typeof level === "string" && !["on", "holds", "true"].includes(level) ? level : null;
}

function idOf(event) {
  return `${event.t.toFixed(9)}|${event.act}|${event.target}`;
}

function plainAct({ t, source, act, target }) {
  return { t, source, act, target: target ?? null };
}

/** The file as data, every name in it known. */
function readPlayed(text, meta) {
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Error("it is no JSON");
  }
  if (file?.format !== FORMAT) throw new Error("it is no played history");
  if (file.scenario !== meta.scenario || file.digest !== meta.digest) {
    throw new Error(`it was played on ${words(file.scenario, 40)}${file.scenario === meta.scenario ? ", another edition" : ""}, this page holds ${words(meta.scenario, 40)}`);
  }
  if (file.version !== meta.version) throw new Error(`it was played with powderkeg ${words(file.version, 20)}, this page is of ${words(meta.version, 20)}`);
  if (!file.setting || !Array.isArray(file.branches)) throw new Error("it holds no setting or no branches");
  const [actors, acts] = [new Set(meta.actors.map((one) => one.id)), new Set(meta.acts.map((one) => one.id))];
  const act = (one) => {
    if (!actors.has(one.source) || !acts.has(one.act) || (one.target !== null && !actors.has(one.target)) || !Number.isFinite(one.t)) {
      throw new Error("it holds an act that this scenario does not have");
    }
    return plainAct(one);
  };
  const branches = file.branches.map((branch) => {
    if (!actors.has(branch.actor)) throw new Error("it plays an actor that this scenario does not have");
    return { name: words(branch.name, LONGEST_NAME), actor: branch.actor, script: (branch.script ?? []).map(act), withhold: (branch.withhold ?? []).map(act) };
  });
  return { setting: file.setting, branches };
}

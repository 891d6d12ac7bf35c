// How does one history go in two worlds? The median run of the reference, and the same run in the world in hand.
// In: the state, the runs. Out: two strips on one time axis, what differs marked, with numbers and tables.

class Histories {
  constructor(place, asked, runs, engine, play) {
    Object.assign(this, { asked, runs, engine, kept: new Map(), token: 0, chosen: null });
    this.strip = new Strip(asked.meta, "Two histories on one time axis");
    this.number = h("input", { type: "number", id: "history-run", min: 0, step: 1, on: { change: () => this.choose() } });
    this.words = h("p", { class: "note", role: "status" });
    this.numbers = wide("The two histories in numbers");
    this.table = h("div");
    put(place, h("h2", { id: "h-histories", text: "One history, two worlds" }),
      h("p", { text: "The same chance in both worlds: the two part where the first act differs. By default the run whose number of "
        + "standoffs is the median of the reference; it is one way things can go, not a forecast." }),
      h("p", { class: "tools" }, h("label", { for: "history-run", text: "Run" }), this.number,
        button("Median run", () => { this.chosen = null; this.refresh(); }, { class: "quiet" }),
        button("Play this history", () => play(asked.now.at, this.replicate)),
        exporters(() => this.strip.svg, asked.meta.scenario, "history")),
      this.words, this.strip.figure, this.strip.read, stripLegend(true), this.numbers, this.table);
    new ResizeObserver(() => this.panels && this.width !== this.strip.figure.clientWidth && this.redraw()).observe(this.strip.figure);
  }

  choose() {
    const value = Number(this.number.value);
    this.chosen = Number.isInteger(value) && value >= 0 && this.number.value !== "" ? value : null;
    this.refresh();
  }

  get replicate() {
    const { now } = this.asked;
    return this.chosen ?? this.runs.of({ world: this.asked.reference, seed: now.seed, years: now.years }).median;
  }

  async historyOf(world, replicate) {
    const { seed, years } = this.asked.now;
    const key = JSON.stringify([keyOf(world), seed, replicate, years]);
    if (!this.kept.has(key)) {
      if (this.kept.size > 8) this.kept.delete(this.kept.keys().next().value);
      this.kept.set(key, await this.engine.history({ world: editsOf(world), seed, replicate, years }));
    }
    return this.kept.get(key);
  }

  async refresh() {
    const token = (this.token += 1);
    const { replicate } = this;
    if (replicate === null) return;
    const { asked } = this;
    const worlds = [[asked.now.against, asked.reference], [asked.now.at, asked.world]];
    try {
      const histories = [];
      for (const [, world] of worlds) histories.push(await this.historyOf(world, replicate));
      if (token !== this.token || histories.includes(null)) return;
      const [one, other] = histories;
      this.panels = [{ index: worlds[0][0], title: words(worlds[0][1].name, 50), history: one, shared: sharedActs(one, other) },
        { index: worlds[1][0], title: words(worlds[1][1].name, 50), history: other, shared: sharedActs(other, one) }];
      this.number.value = replicate;
      this.redraw();
    } catch (error) {
      if (token === this.token) setText(this.words, `It could not be run: ${words(error.message, 300)}`);
    }
  }

  redraw() {
    const { meta, now } = this.asked;
    this.width = this.strip.figure.clientWidth;
    this.strip.draw(this.panels, now.years * YEAR);
    const [one, other] = this.panels;
    const first = other.history.events.find((_, index) => !other.shared[index]) ?? one.history.events.find((_, index) => !one.shared[index]);
    setText(this.words, first ? `Run ${this.replicate}: the two part on ${daySaid(meta.start, first.t)}.`
      : `Run ${this.replicate} is the same in both, act for act.`);
    put(this.numbers, numbersTable(meta, this.panels), drawnTable(meta, this.panels));
    const open = this.table.querySelector("details")?.open ?? false;
    put(this.table, stripTable(meta, this.panels));
    this.table.querySelector("details").open = open;
  }
}

/** Who was drawn into disputes between others, by whom and by what, side by side; nothing where nobody was. */
function drawnTable(meta, panels) {
  const entries = panels.map(({ history }) => entriesOf(history.events));
  const actors = meta.actors.filter(({ id }) => entries.some((found) => found.get(id)?.drawn));
  if (!actors.length) return null;
  const title = (id) => shortName(meta.actors.find((one) => one.id === id)?.title ?? id, 34);
  const cell = (own) => (!own ? h("td", { text: "no acts" }) : h("td", {}, `${own.drawn} of ${own.acts} acts`,
    own.by ? ", mostly by " : "", own.by ? title(own.by) : null, own.mechanism ? " through " : "",
    own.mechanism ? name(String(own.mechanism).replaceAll("_", " "), 50) : null));
  return h("table", { class: "numbers entangled" }, h("caption", { text: "Drawn into disputes between others" }),
    h("thead", {}, h("tr", {}, h("th", { scope: "col", text: "who" }), ...panels.map(({ title: text, index }) => h("th", { scope: "col" }, marker(index), " ", name(text, 50))))),
    h("tbody", {}, ...actors.map((actor) => h("tr", {}, h("th", { scope: "row" }, shortName(actor.title, 40)), ...entries.map((found) => cell(found.get(actor.id)))))));
}

/** What the histories of some panels come to, side by side. */
function numbersTable(meta, panels) {
  const counts = panels.map(({ history }) => countsOf(meta, history));
  const rows = Object.keys(counts[0]).map((what) => [what, counts.map((count) => grouped(count[what]))]);
  for (const outcome of shownOutcomes(meta)) {
    const values = panels.map(({ history }) => history.outcomes?.[outcome.id]);
    if (!values.every(Number.isFinite) || values.every((value) => value === values[0])) continue;
    const saidOf = (value) => (outcome.kind === "chance" ? (value ? "yes" : "no") : said(outcome, value));
    rows.push([words(outcome.title, 80), values.map(saidOf)]);
  }
  return h("table", { class: "numbers" }, h("caption", { text: "In numbers" }),
    h("thead", {}, h("tr", {}, h("th", { scope: "col", text: "in this history" }),
      ...panels.map(({ title, index }) => h("th", { scope: "col", class: "number" }, marker(index), " ", name(title, 50))))),
    h("tbody", {}, ...rows.map(([what, values]) => h("tr", {}, h("th", { scope: "row" }, name(what)),
      ...values.map((value) => h("td", { class: "number", text: value }))))));
}

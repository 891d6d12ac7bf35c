// What do the worlds show? Outcomes with their paired differences, nearness to the brink, model against record.
// In: the runs of every world that is shown. Out: tables whose numbers are text, with a drawing beside each.

const MARKS = ["circle", "square", "diamond"];
const PLOT = { width: 220, height: 26 };

class Results {
  constructor(place, asked, runs) {
    Object.assign(this, { place, asked, runs, rows: new Map() });
    this.outcomes = h("div", { id: "outcomes", class: "outcomes cardlike" });
    this.state = h("p", { class: "note", id: "runs-behind" });
    this.warnings = h("div", { id: "warnings" });
    this.brink = h("div", { id: "brink" });
    this.record = h("div", { id: "record" });
    const { meta } = asked;
    put(place,
      this.warnings,
      h("section", { "aria-labelledby": "h-outcomes" }, h("h2", { id: "h-outcomes", text: "What changes" }), this.state,
        this.outcomes,
        h("p", { class: "note", text: "Both worlds live through the same chance, run by run: the difference is that of pairs. "
          + "In brackets and as a bar: its 90\u202f% interval, what chance leaves open with the runs so far; more runs shrink it. "
          + "How wrong the numbers behind the levers may be is not in it. Of ten outcomes that do not change, one will look "
          + "clear by chance. Better and worse as the scenario says." })),
      h("section", { "aria-labelledby": "h-brink" }, h("h2", { id: "h-brink", text: "How near the brink" }), this.brink),
      meta.record?.length ? h("section", { "aria-labelledby": "h-record" },
        h("h2", { id: "h-record", text: "Does it hold against the record?" }), this.record) : null);
  }

  /** [{index, world, entry}] of the reference and every world. */
  shown() {
    const { now } = this.asked;
    const { seed, years } = now;
    const entryOf = (world) => this.runs.of({ world, seed, years });
    const reference = { index: now.against, world: this.asked.reference, entry: entryOf(this.asked.reference) };
    const worlds = now.worlds.map((world, index) => ({ index, world, entry: entryOf(world) }))
      .filter(({ index }) => index !== now.against);
    return { reference, worlds };
  }

  draw() {
    const { reference, worlds } = this.shown();
    this.drawWarnings([reference, ...worlds]);
    this.drawState(reference, worlds);
    this.drawOutcomes(reference, worlds);
    this.drawBrink([reference, ...worlds]);
    if (this.asked.meta.record?.length) this.drawRecord([reference, ...worlds]);
  }

  drawState(reference, worlds) {
    const runs = [reference, ...worlds].map(({ entry }) => entry.n);
    const { years, seed } = this.asked.now;
    const least = Math.min(...runs);
    const most = Math.max(...runs);
    const behind = least === most ? grouped(least) : `${grouped(least)} to ${grouped(most)}`;
    const more = runs.some((n) => n < this.runs.limit) ? `, more are added up to ${grouped(this.runs.limit)}` : "";
    const alike = worlds.filter(({ world }) => keyOf(world) === keyOf(reference.world)).map(({ world }) => words(world.name, 40));
    const same = alike.length ? ` ${alike.join(", ")}: no change from ${words(reference.world.name, 40)} until a lever or a switch is moved.` : "";
    setText(this.state, `${behind} runs of ${written(years)} years in each world${more}. Seed ${seed}.${same}`);
  }

  drawWarnings(all) {
    const lines = [];
    for (const { world, entry } of all) {
      if (entry.fault) lines.push(["It could not be run: ", name(world.name, 60), `. ${words(entry.fault, 400)}`]);
      if (entry.capped) {
        lines.push([`${grouped(entry.capped)} of ${grouped(entry.n)} runs of `, name(world.name, 60),
          " were stopped at the limit of acts and are counted as far as they went: the system winds itself up.",
          entry.blame ? " What feeds itself: " : "", entry.blame ? h("strong", {}, name(entry.blame, 90)) : "", entry.blame ? "." : ""]);
      }
    }
    const told = lines.map((line) => line.map((part) => part.textContent ?? part).join("")).join("\n");
    if (told === this.warned) return;
    this.warned = told;
    put(this.warnings, ...lines.map((line) => h("p", { class: "warning", role: "alert" }, ...line)));
  }

  drawOutcomes(reference, worlds) {
    const { meta } = this.asked;
    const plan = JSON.stringify([reference.index, worlds.map(({ index }) => index)]);
    if (plan !== this.plan) this.layOut(plan, worlds);
    for (const head of this.outcomes.querySelectorAll(".base-name")) setText(head, words(reference.world.name, 40));
    const value = worlds.length === 1 ? words(worlds[0].world.name, 30) : "value";
    for (const head of this.outcomes.querySelectorAll(".of-value")) setText(head, value);
    for (const outcome of shownOutcomes(meta)) this.fill(outcome, reference, worlds);
  }

  /** The tables, once for each set of worlds; numbers are filled in later, so that nothing jumps. */
  layOut(plan, worlds) {
    this.plan = plan;
    this.outcomes.classList.toggle("single", worlds.length === 1);
    this.rows.clear();
    const titles = { questions: "The scenario\u2019s questions", standoffs: "Standoffs", drawn: "Who is drawn in" };
    const outcomes = shownOutcomes(this.asked.meta);
    const groups = [...new Set(outcomes.map((one) => one.group ?? "questions"))];
    const head = () => h("thead", {}, h("tr", {}, h("th", { scope: "col", text: "outcome" }),
      h("th", { scope: "col", class: "number" }, h("bdi", { class: "base-name" })), h("th", { scope: "col", text: "world" }),
      h("th", { scope: "col", class: "number of-value" }), h("th", { scope: "col", text: "difference [90\u202f% interval]" }),
      h("th", { scope: "col", text: "verdict" })));
    put(this.outcomes, ...groups.map((group) => h("div", { class: "group-of-outcomes", id: `group-${words(group, 20)}` },
      h("table", { class: "results" }, h("caption", { text: titles[group] ?? capital(group) }), head(),
        ...outcomes.filter((one) => (one.group ?? "questions") === group).map((one) => this.rowOf(one, worlds))),
      exporters(() => this.figureOf(group), this.asked.meta.scenario, titles[group] ?? group))));
  }

  rowOf(outcome, worlds) {
    const lines = worlds.map(({ index }) => ({ index, world: h("bdi"), value: h("td", { class: "number" }),
      difference: h("span", { class: "difference" }), verdict: h("td", { class: "verdict" }),
      plot: s("svg", { class: "plot", viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, "aria-hidden": "true" }) }));
    const base = h("td", { class: "number base-value", rowspan: lines.length || 1 });
    const head = h("th", { scope: "rowgroup", rowspan: lines.length || 1 }, name(outcome.title, 120),
      outcome.unit && !isShare(outcome) && !saysUnit(outcome) ? h("span", { class: "unit" }, " ", name(outcome.unit, 40)) : null);
    const rows = lines.map((line, place) => h("tr", {}, ...(place ? [] : [head, base]),
      h("td", { class: "of-world" }, marker(line.index), " ", line.world), line.value,
      h("td", { class: "change" }, line.difference, line.plot), line.verdict));
    if (!rows.length) rows.push(h("tr", {}, head, base));
    const body = h("tbody", { "data-outcome": outcome.id }, ...rows);
    this.rows.set(outcome.id, { base, lines, body, scale: 0 });
    return body;
  }

  fill(outcome, reference, worlds) {
    const row = this.rows.get(outcome.id);
    row.body.classList.toggle("watched", this.asked.now.watch === outcome.id);
    const alone = valuesOf(reference.entry, outcome, reference.entry.n);
    setText(row.base, alone ? said(outcome, meanOf(alone)) : "\u2013");
    const effects = worlds.map((one) => this.effect(outcome, reference, one));
    const reach = Math.max(...effects.map((e) => (e && e.low !== null ? Math.max(Math.abs(e.low), Math.abs(e.high)) : 0)), 0);
    const scale = niceCeiling(reach || this.usual(outcome));
    effects.forEach((effect, place) => {
      const line = row.lines[place];
      const { world, entry } = worlds[place];
      setText(line.world, words(world.name, 40));
      const own = valuesOf(entry, outcome, entry.n);
      setText(line.value, own ? said(outcome, meanOf(own)) : "\u2013");
      const same = keyOf(world) === keyOf(reference.world);
      setText(line.difference, same ? "" : effect ? differenceSaid(outcome, effect) : entry.n ? "cannot be said" : "\u2026");
      const verdict = effect && !same ? verdictOf(effect, outcome.better) : "";
      setText(line.verdict, verdict);
      row.base.dataset.head = `${words(reference.world.name, 40)}:`;
    line.verdict.className = `verdict ${verdict.replaceAll(" ", "-")}`;
      drawInterval(line.plot, effect, scale, line.index, outcome);
    });
  }

  usual(outcome) {
    this.largest ??= largestMoves(this.asked.meta);
    const usual = this.largest.get(outcome.id) ?? 0;
    return usual > 1e-6 ? usual : isShare(outcome) ? 0.01 : 1;
  }

  /** The effect on the runs that both worlds have; null where there is none. */
  effect(outcome, reference, { world, entry }) {
    const n = Math.min(reference.entry.n, entry.n);
    const [one, other] = [valuesOf(reference.entry, outcome, n), valuesOf(entry, outcome, n)];
    if (!one || !other) return null;
    const alike = keyOf(world) === keyOf(reference.world);
    return effectOf(one, other, measureOf(outcome, this.asked.now.years), alike);
  }

  /** What is said of the watched outcome (or the first) of the world in hand; for the bar below and for listeners. */
  gist() {
    const { reference, worlds } = this.shown();
    const outcome = this.asked.meta.outcomes.find((one) => one.id === this.asked.now.watch) ?? shownOutcomes(this.asked.meta)[0];
    const one = worlds.find(({ index }) => index === this.asked.now.at);
    if (!outcome || !one) return "";
    const effect = this.effect(outcome, reference, one);
    if (!effect) return "";
    return `${words(outcome.title, 60)}: ${said(outcome, effect.value)}, ${differenceSaid(outcome, effect)}, `
      + `${verdictOf(effect, outcome.better)}, ${grouped(effect.runs)} runs`;
  }

  /** The differences of a group of outcomes as one drawing with words, for saving. */
  figureOf(group) {
    const { reference, worlds } = this.shown();
    const outcomes = shownOutcomes(this.asked.meta).filter((one) => (one.group ?? "questions") === group);
    return differencesFigure(this.asked.meta.title, outcomes, reference, worlds,
      (outcome, world) => this.effect(outcome, reference, world), this.rows);
  }

  drawBrink(all) {
    const lines = all.filter(({ entry }) => Number.isFinite(entry.stability?.initial));
    if (!lines.length) {
      const asked = all.every(({ entry }) => entry.stability !== null);
      const text = asked ? "This page cannot compute it for these worlds; the command powderkeg brink does." : "It is being computed.";
      if (this.brink.textContent !== text) put(this.brink, h("p", { class: "note", text: text }));
      return;
    }
    const told = JSON.stringify(lines.map(({ world, entry, index }) => [index, world.name, entry.stability]));
    if (told === this.brinkTold) return;
    this.brinkTold = told;
    const most = Math.max(1.2, ...lines.map(({ entry }) => Math.min(entry.stability.worst ?? 0, 3) * 1.05));
    put(this.brink, h("p", { text: "The branching ratio: how many further acts one act draws, all told, when it is followed to the end. "
      + "Below 1 every chain of acts dies out; at 1 it may not. \u2265: the worst state found, there may be a worse one." }),
    wide("Nearness to the brink", h("table", { class: "brink results cardlike" }, h("thead", {}, h("tr", {}, h("th", { scope: "col", text: "world" }),
      h("th", { scope: "col", class: "number", text: "at the start" }), h("th", { scope: "col", class: "number", text: "in the worst state" }),
      h("th", { scope: "col", text: "0 to the brink" }), h("th", { scope: "col", text: "most of it by" }))),
    h("tbody", {}, ...lines.map((line) => brinkRow(line, most))))));
  }

  drawRecord(all) {
    const { meta } = this.asked;
    const told = JSON.stringify(all.map(({ index, world, entry }) => [index, world.name, entry.record, entry.recordRuns]));
    if (told === this.recordTold) return;
    this.recordTold = told;
    const ready = all.filter(({ entry }) => entry.record);
    if (!ready.length) return put(this.record, h("p", { class: "note", text: "It is being counted." }));
    const agreeing = ready.map(({ index, world, entry }) => {
      const count = meta.record.filter((line) => agrees(line, entry.record[line.id])).length;
      return h("li", {}, marker(index), " ", name(world.name, 60), `: ${count} of ${meta.record.length} lines agree`);
    });
    const runs = Math.min(...ready.map(({ entry }) => entry.recordRuns));
    const tuned = meta.record.some((line) => line.tuned);
    put(this.record, h("p", { text: "Whoever pulls a lever sees here what it costs: the same yardstick laid on simulated histories and on the "
      + "dated record. A line agrees where the mean of the model lies in the record\u2019s 90\u202f% interval." }),
    h("ul", { class: "agreeing" }, ...agreeing),
    wide("Model and record", h("table", { class: "results record cardlike" }, h("thead", {}, h("tr", {}, h("th", { scope: "col", text: "line" }),
      h("th", { scope: "col", text: "record [90\u202f% interval]" }), h("th", { scope: "col", text: "interval and worlds" }),
      ...ready.map(({ index, world }) => h("th", { scope: "col" }, marker(index), " ", name(world.name, 30))))),
    h("tbody", {}, ...meta.record.map((line) => recordRow(line, ready))))),
    h("p", { class: "note", text: `From ${grouped(runs)} histories of each world, each as long as the record. That a line agrees says that the record does not `
      + `speak against the model, no more.${tuned ? " Lines marked \u201ctuned\u201d were used to set the model\u2019s numbers: their agreement is no test." : ""}` }),
    exporters(() => recordFigure(meta, ready), meta.scenario, "record"));
    return undefined;
  }
}

/** Whether the title has the unit in it already, as "Deadly acts a year" has. */
function saysUnit({ title, unit }) {
  const last = unit.split(" ").at(-1).toLowerCase();
  return title.toLowerCase().split(/\W+/).includes(last);
}

function agrees(line, value) {
  return Number.isFinite(value) && value >= line.low && value <= line.high;
}

/** The mark of a world: shape and colour say the same. */
function marker(index) {
  return s("svg", { class: `marker world-${index}`, viewBox: "-7 -7 14 14", "aria-hidden": "true" }, shapeOf(index, 0, 0));
}

function shapeOf(index, x, y, size = 5) {
  const kind = index < 0 ? "bar" : MARKS[index];
  const given = { class: `mark world-${index}` };
  if (kind === "circle") return s("circle", { ...given, cx: x, cy: y, r: size });
  if (kind === "square") return s("rect", { ...given, x: x - size * 0.88, y: y - size * 0.88, width: size * 1.76, height: size * 1.76 });
  if (kind === "diamond") return s("path", { ...given, d: `M${x} ${y - size * 1.25}L${x + size * 1.25} ${y}L${x} ${y + size * 1.25}L${x - size * 1.25} ${y}Z` });
  return s("rect", { ...given, x: x - 1.5, y: y - size * 1.2, width: 3, height: size * 2.4 });
}

/** Zero in the middle, the interval a bar, the difference its mark, the ends of the scale in figures. */
function drawInterval(svg, effect, scale, index, outcome) {
  const { width, height } = PLOT;
  const parts = intervalParts(effect, scale, index, { x: 0, y: height / 2 - 3, width });
  const unit = isShare(outcome) ? 100 : 1;
  put(svg, ...parts, s("text", { class: "tick", x: 1, y: height - 1, text: `${MINUS}${written(scale * unit)}` }),
    s("text", { class: "tick end", x: width - 1, y: height - 1, text: `+${written(scale * unit)}` }));
}

function intervalParts(effect, scale, index, { x, y, width }) {
  const at = (value) => x + width / 2 + Math.max(-1, Math.min(1, value / scale)) * (width / 2 - 8);
  const parts = [s("line", { class: "axis", x1: x, x2: x + width, y1: y, y2: y }),
    s("line", { class: "zero", x1: at(0), x2: at(0), y1: y - 9, y2: y + 9 })];
  if (effect && effect.low !== null) {
    const [low, high] = [at(effect.low), at(effect.high)];
    parts.push(s("rect", { class: `band world-${index}`, x: low, y: y - 4, width: Math.max(high - low, 1), height: 8, rx: 1 }));
  }
  if (effect) parts.push(shapeOf(index, at(effect.difference), y));
  return parts;
}

function brinkRow({ index, world, entry }, most) {
  const { initial, worst, blame, complete } = entry.stability;
  const at = (value) => 6 + (Math.min(value, most) / most) * (PLOT.width - 12);
  const y = PLOT.height / 2 - 3;
  const drawn = s("svg", { class: "plot", viewBox: `0 0 ${PLOT.width} ${PLOT.height + 6}`, "aria-hidden": "true" },
    s("line", { class: "axis", x1: at(0), x2: at(most), y1: y, y2: y }),
    s("line", { class: "brink-line", x1: at(1), x2: at(1), y1: y - 10, y2: y + 10 }),
    s("line", { class: `reach world-${index}`, x1: at(initial), x2: at(worst ?? initial), y1: y, y2: y }),
    shapeOf(index, at(initial), y), Number.isFinite(worst) ? shapeOf(index, at(worst), y, 3) : null,
    s("text", { class: "tick middle", x: at(0), y: PLOT.height + 4, text: "0" }),
    s("text", { class: "tick middle", x: at(1), y: PLOT.height + 4, text: "1, the brink" }));
  const over = worst >= 1;
  return h("tr", { class: over ? "one over" : "one" }, h("th", { scope: "row" }, marker(index), " ", name(world.name, 60)),
    h("td", { class: "number", "data-head": "at the start", text: initial.toFixed(2) }),
    h("td", { class: `number${over ? " differs" : ""}`, "data-head": "in the worst state", text: Number.isFinite(worst) ? `${complete === false ? "\u2265\u202f" : ""}${worst.toFixed(2)}` : "\u2013" }),
    h("td", {}, drawn), h("td", { "data-head": "most of it by" }, blame ? name(String(blame).replaceAll("_", " "), 80) : "\u2013",
      over ? h("span", { class: "differs", text: " over the brink" }) : null));
}

function recordRow(line, ready) {
  const values = ready.map(({ entry }) => entry.record[line.id]);
  const middle = Number.isFinite(line.value) ? `${measured(line.value)} ` : "";
  return h("tr", { class: "one" }, h("th", { scope: "row" }, name(line.title || line.what || line.id, 120),
    line.tuned ? h("span", { class: "guess", text: "tuned" }) : null),
  h("td", { "data-head": "record", text: `${middle}[${measured(line.low)}, ${measured(line.high)}]` }),
  h("td", {}, s("svg", { class: "plot", viewBox: `0 0 ${PLOT.width} ${PLOT.height - 4}`, "aria-hidden": "true" },
    ...recordParts(line, ready, { x: 0, y: (PLOT.height - 4) / 2, width: PLOT.width }))),
  ...values.map((value, place) => h("td", { class: `of-one ${agrees(line, value) ? "agrees" : "differs"}`, "data-head": words(ready[place].world.name, 30) }, h("span", { class: "number", text: measured(value) }),
    ` ${Number.isFinite(value) ? (agrees(line, value) ? "agrees" : "differs") : "unknown"}`)));
}

function recordParts(line, ready, { x, y, width }) {
  const values = ready.map(({ index, entry }) => ({ index, value: entry.record[line.id] })).filter(({ value }) => Number.isFinite(value));
  const span = line.high - line.low || Math.abs(line.high) || 1;
  const least = Math.min(line.low - 0.4 * span, ...values.map(({ value }) => value));
  const most = Math.max(line.high + 0.4 * span, ...values.map(({ value }) => value));
  const at = (value) => x + 8 + ((value - least) / (most - least)) * (width - 16);
  return [s("line", { class: "axis", x1: x, x2: x + width, y1: y, y2: y }),
    s("rect", { class: "interval", x: at(line.low), y: y - 7, width: at(line.high) - at(line.low), height: 14 }),
    Number.isFinite(line.value) ? s("line", { class: "zero", x1: at(line.value), x2: at(line.value), y1: y - 7, y2: y + 7 }) : null,
    ...values.map(({ index, value }) => shapeOf(index, at(value), y))].filter(Boolean);
}

/** One drawing with titles, intervals and figures, as it is saved. It is in the page only while it is copied. */
function differencesFigure(title, outcomes, reference, worlds, effect, rows) {
  const lines = outcomes.flatMap((outcome) => worlds.map((world, place) => ({ outcome, world, place, effect: effect(outcome, world) })));
  const height = 70 + lines.length * 24;
  const parts = [s("text", { class: "figure-title", x: 10, y: 26, text: words(title, 80) }),
    s("text", { class: "figure-note", x: 10, y: 46, text: words(`Difference from ${reference.world.name}, 90 % interval: `
      + worlds.map(({ world, entry }) => `${world.name} (${grouped(Math.min(entry.n, reference.entry.n))} runs)`).join(", "), 130) })];
  lines.forEach(({ outcome, world, place, effect: found }, index) => {
    const y = 78 + index * 24;
    if (!place) parts.push(s("text", { class: "figure-label", x: 10, y: y + 4, text: words(outcome.title, 48) }));
    const own = rows.get(outcome.id).lines.map((_, other) => lines.find((l) => l.outcome === outcome && l.place === other)?.effect);
    const reach = Math.max(0, ...own.map((e) => (e && e.low !== null ? Math.max(Math.abs(e.low), Math.abs(e.high)) : 0)));
    parts.push(...intervalParts(found, niceCeiling(reach), world.index, { x: 360, y, width: 240 }));
    parts.push(s("text", { class: "figure-note", x: 615, y: y + 4, text: found ? differenceSaid(outcome, found) : "" }));
  });
  return staged(s("svg", { viewBox: `0 0 860 ${height}` }, ...parts));
}

function recordFigure(meta, ready) {
  const parts = [s("text", { class: "figure-title", x: 10, y: 26, text: words(meta.title, 80) }),
    s("text", { class: "figure-note", x: 10, y: 46, text: words(`Model and record: ${ready.map(({ world }) => world.name).join(", ")}; shaded: the record\u2019s 90 % interval`, 130) })];
  meta.record.forEach((line, index) => {
    const y = 74 + index * 24;
    parts.push(s("text", { class: "figure-label", x: 10, y: y + 4, text: words(line.title || line.what || line.id, 58) }),
      ...recordParts(line, ready, { x: 440, y, width: 300 }));
  });
  return staged(s("svg", { viewBox: `0 0 760 ${70 + meta.record.length * 24}` }, ...parts));
}

/** A drawing that is not shown, laid where the style sheet reaches it. */
function staged(svg) {
  put(document.getElementById("stage"), svg);
  return svg;
}

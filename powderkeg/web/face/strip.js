// What happened in a history? Acts in lanes over time, standoffs shaded: the strip of the report, for two worlds on one
// time axis, what only one of them has standing out.
// In: histories. Out: a drawing, a legend, and a table that says the same.

const LANE = 24;
const END_MARKS = { resolved: "circle", suspended: "square", spent: "down", chained: "right", open: "cross" };

/** Which acts of one history another has as well: the same act at the same time. */
function sharedActs(one, other) {
  const key = (event) => `${event.t.toFixed(6)}|${event.source}|${event.act}|${event.target}`;
  const there = new Set(other.events.map(key));
  return one.events.map((event) => there.has(key(event)));
}

/** For each act whether its actor was drawn into it: the spark that it descends from was between two others. */
function drawnIn(events) {
  const root = new Int32Array(events.length);
  return events.map((event, index) => {
    root[index] = event.cause >= 0 ? root[event.cause] : index;
    const spark = events[root[index]];
    return event.source !== spark.source && event.source !== spark.target;
  });
}

/** For each actor that was drawn in: [actor, {acts, drawn, by, mechanism}], by whom and what it most often came in. */
function entriesOf(events) {
  const drawn = drawnIn(events);
  const found = new Map();
  const add = (counts, key) => counts.set(key, (counts.get(key) ?? 0) + 1);
  events.forEach((event, index) => {
    if (!found.has(event.source)) found.set(event.source, { acts: 0, drawn: 0, by: new Map(), mechanism: new Map() });
    const own = found.get(event.source);
    own.acts += 1;
    if (!drawn[index]) return;
    let entry = event;
    for (let at = index; at >= 0; at = events[at].cause) if (events[at].source === event.source) entry = events[at];
    own.drawn += 1;
    if (entry.cause >= 0) add(own.by, events[entry.cause].source);
    if (entry.mechanism) add(own.mechanism, entry.mechanism_title ?? entry.mechanism);
  });
  const most = (counts) => [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? null;
  return new Map([...found].map(([actor, own]) => [actor, { ...own, by: most(own.by), mechanism: most(own.mechanism) }]));
}

class Strip {
  /** meta; `point(panel, index)` is called when an act is pointed at or chosen. */
  constructor(meta, label) {
    this.meta = meta;
    this.acts = new Map(meta.acts.map((act) => [act.id, act]));
    this.actors = new Map(meta.actors.map((actor) => [actor.id, actor]));
    this.svg = s("svg", { class: "strip", role: "img", "aria-label": label });
    this.figure = h("figure", { class: "strip-figure", tabindex: 0, role: "group", "aria-label": `${label}, may be scrolled sideways` }, this.svg);
    this.read = h("p", { class: "read note", text: "Point at a stroke to read the act." });
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.width = 0;
  }

  /** panels: [{title, index (of the world), history, shared: [bool] or null}]; lanes that never act are left out. */
  draw(panels, days, cursor = null) {
    const alike = panels.every(({ shared }) => !shared || shared.every(Boolean)); // then nothing is drawn pale
    Object.assign(this, { panels: panels.map((panel) => (alike ? { ...panel, shared: null } : panel)), days });
    const width = Math.max(620, Math.min(1600, this.figure.clientWidth || 900));
    const acting = new Set(panels.flatMap(({ history }) => history.events.map((event) => event.source)));
    this.lanes = this.meta.actors.filter((actor) => acting.has(actor.id));
    this.left = Math.min(190, width * 0.24);
    this.right = width - 8;
    this.panelHeight = 34 + Math.max(1, this.lanes.length) * LANE + 12;
    const height = panels.length * this.panelHeight + 22;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", height);
    this.foot = panels.length * this.panelHeight;
    put(this.svg, ...this.panels.flatMap((panel, place) => this.panelParts(panel, place * this.panelHeight)), ...this.axisParts(),
      this.cursor = s("line", { class: "cursor", y1: 22, y2: this.foot, x1: -10, x2: -10 }));
    this.fitNames();
    this.setCursor(cursor);
  }

  /** Names are cut by what they measure: fonts differ. One that is not shown measures nothing and stays. */
  fitNames() {
    for (const label of this.svg.querySelectorAll(".lane-name")) {
      const { title } = this.actors.get(label.dataset.actor);
      for (let longest = [...label.firstChild.data].length; longest > 4 && label.getComputedTextLength() > this.left - 12;) {
        longest -= 1;
        label.firstChild.data = short(title, longest);
      }
    }
  }

  x(day) {
    return this.left + (day / this.days) * (this.right - this.left);
  }

  setCursor(day) {
    this.cursor?.setAttribute("x1", day === null ? -10 : this.x(day));
    this.cursor?.setAttribute("x2", day === null ? -10 : this.x(day));
  }

  axisParts() {
    const most = Math.max(3, Math.floor((this.right - this.left) / (this.days > 2.5 * YEAR ? 50 : 80)));
    return [s("line", { class: "axis", x1: this.left, x2: this.right, y1: this.foot, y2: this.foot }),
      ...timeTicks(this.meta.start, this.days, most).flatMap(({ day, label }) => [
        s("line", { class: "axis", x1: this.x(day), x2: this.x(day), y1: this.foot, y2: this.foot + 5 }),
        s("text", { class: "tick middle", x: Math.min(Math.max(this.x(day), this.left + 12), this.right - 14), y: this.foot + 17, text: label })])];
  }

  panelParts(panel, top) {
    const { history, title, index } = panel;
    const first = top + 34;
    const bottom = first + this.lanes.length * LANE;
    const parts = [shapeOf(index, 8, top + 15), s("text", { class: "panel-title", x: 20, y: top + 19, text: title })];
    for (const standoff of history.standoffs) {
      const from = this.x(standoff.start);
      const width = Math.max(this.x(standoff.last ?? standoff.end) - from, 1.5);
      parts.push(s("rect", { class: "standoff", x: from, y: first - 4, width, height: bottom - first + 8 }),
        endMark(standoff.kind, from + width / 2, first - 10));
    }
    const place = new Map(this.lanes.map((actor, lane) => [actor.id, first + (lane + 0.5) * LANE]));
    const longest = Math.floor(this.left / 6.6);
    for (const [lane, actor] of this.lanes.entries()) {
      const y = first + (lane + 0.5) * LANE;
      parts.push(s("line", { class: "lane", x1: this.left, x2: this.right, y1: y, y2: y }),
        s("text", { class: "lane-name", "data-actor": actor.id, x: this.left - 8, y: y + 4 }, short(actor.title, longest), s("title", { text: words(actor.title, 300) })));
    }
    return [...parts, ...this.strokes(panel, place), ...this.rug(panel, bottom + 5)];
  }

  /** All strokes of a tone in one path each, what is shared with the other world apart from what is not. */
  strokes({ history, shared, now }, place) {
    const paths = new Map();
    const hottest = Math.max(1, ...this.meta.acts.map((act) => act.heat ?? 1));
    const drawn = drawnIn(history.events);
    history.events.forEach((event, index) => {
      const y = place.get(event.source);
      const act = this.acts.get(event.act);
      const tone = act?.class ?? "neutral";
      const x = this.x(event.t).toFixed(1);
      const reach = tone === "hostile" ? -(4 + 7 * ((act.heat ?? 1) / hottest)) : 8;
      const later = now !== undefined && index > now ? " later" : "";
      const kind = `${tone}${shared?.[index] ? " shared" : ""}${later}`;
      const path = tone === "neutral" ? `M${x} ${y}m-2 0a2 2 0 1 0 4 0a2 2 0 1 0 -4 0` : `M${x} ${y}V${(y + reach).toFixed(1)}`;
      paths.set(kind, (paths.get(kind) ?? "") + path);
      const entry = `drawn-in${shared?.[index] ? " shared" : ""}${later}`;
      if (drawn[index]) paths.set(entry, (paths.get(entry) ?? "") + `M${x} ${y}m-1.9 0a1.9 1.9 0 1 0 3.8 0a1.9 1.9 0 1 0 -3.8 0`);
    });
    const order = [...paths.keys()].sort((a, b) => b.includes("shared") - a.includes("shared"));
    return order.map((kind) => s("path", { class: `act ${kind}`, d: paths.get(kind) }));
  }

  /** A tick below the lanes for every act that only this world has. */
  rug({ history, shared }, y) {
    if (!shared) return [];
    const only = history.events.filter((_, index) => !shared[index]);
    if (!only.length) return [];
    return [s("path", { class: "rug", d: only.map((event) => `M${this.x(event.t).toFixed(1)} ${y - 3}v6`).join("") })];
  }

  /** Which act is nearest to the pointer, in words. */
  point(event) {
    if (!this.panels) return;
    const box = this.svg.getBoundingClientRect();
    const scale = this.svg.viewBox.baseVal.width / box.width;
    const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    const panel = this.panels[Math.floor(y / this.panelHeight)];
    const lane = this.lanes[Math.floor(((y % this.panelHeight) - 34) / LANE)];
    if (!panel || !lane) return;
    let best = -1;
    panel.history.events.forEach((act, index) => {
      const away = Math.abs(this.x(act.t) - x);
      if (act.source === lane.id && away < 8 && (best < 0 || away < Math.abs(this.x(panel.history.events[best].t) - x))) best = index;
    });
    if (best >= 0) setText(this.read, `${panel.title}, ${actSaid(this.meta, panel.history.events[best])}`);
  }
}

/** "3 May 2011: Kosovo \u2192 Serbs of the north: bars goods" as text: actors are one or many, and this fits both. */
function actSaid(meta, event) {
  const title = (list, id) => short(list.find((one) => one.id === id)?.title ?? id ?? "", list === meta.acts ? 70 : 40);
  const to = event.target ? ` \u2192 ${title(meta.actors, event.target)}` : "";
  return `${daySaid(meta.start, event.t)}: ${title(meta.actors, event.source)}${to}: ${title(meta.acts, event.act)}`;
}

function endMark(kind, x, y) {
  const given = { class: "end-mark" };
  const shape = END_MARKS[kind] ?? "cross";
  if (shape === "circle") return s("circle", { ...given, cx: x, cy: y, r: 3.2 });
  if (shape === "square") return s("rect", { ...given, x: x - 3, y: y - 3, width: 6, height: 6 });
  if (shape === "down") return s("path", { ...given, d: `M${x - 3.6} ${y - 3}h7.2l-3.6 6.4z` });
  if (shape === "right") return s("path", { ...given, d: `M${x - 3} ${y - 3.6}v7.2l6.4 -3.6z` });
  return s("path", { class: "end-mark open-end", d: `M${x - 3} ${y - 3}l6 6m0 -6l-6 6` });
}

/** What the marks of a strip mean. */
function stripLegend(two) {
  const key = (drawing, text) => h("li", {}, s("svg", { class: "key", viewBox: "0 0 16 16", "aria-hidden": "true" }, ...drawing), text);
  return h("ul", { class: "legend" },
    key([s("path", { class: "act hostile", d: "M8 14V3" })], "hostile act, the taller the harsher"),
    key([s("path", { class: "act cooperative", d: "M8 3V12" })], "cooperative act"),
    key([s("path", { class: "act neutral", d: "M6 8a2 2 0 1 0 4 0a2 2 0 1 0 -4 0" })], "any other"),
    key([s("path", { class: "act drawn-in", d: "M6.1 8a1.9 1.9 0 1 0 3.8 0a1.9 1.9 0 1 0 -3.8 0" })], "at its foot: drawn into a dispute between others"),
    key([s("rect", { class: "standoff", x: 2, y: 1, width: 12, height: 14 })], "standoff, its end above it:"),
    ...Object.keys(END_MARKS).map((kind) => key([endMark(kind, 8, 8)], kind)),
    two ? key([s("path", { class: "rug", d: "M5 5v6M10 5v6" })], "below the lanes: acts that only this world has; what both have is pale") : null);
}

/** The same as rows: the standoffs of each panel and, where there are two, the acts that only one has. */
function stripTable(meta, panels) {
  const title = (id) => shortName(meta.actors.find((one) => one.id === id)?.title ?? id ?? "", 40);
  return h("details", {}, h("summary", { text: "The same as tables" }), ...panels.map(({ title: caption, history, shared }) => {
    const only = shared ? history.events.filter((_, index) => !shared[index]) : history.events;
    return wide(caption,
      h("table", {}, h("caption", { text: `${caption}: standoffs` }),
        h("thead", {}, h("tr", {}, ...["from", "to", "opened by", "end"].map((text) => h("th", { scope: "col", text })))),
        h("tbody", {}, ...history.standoffs.map((one) => h("tr", {}, h("td", { class: "date", text: daySaid(meta.start, one.start) }),
          h("td", { class: "date", text: daySaid(meta.start, one.last ?? one.end) }), h("td", {}, title(one.by)),
          h("td", { text: `${one.kind ?? ""}${one.killed ? ", people killed" : one.hurt ? ", people hurt" : ""}` }))))),
      h("table", {}, h("caption", { text: `${caption}: ${shared ? "acts that only this world has" : "acts"}, ${grouped(only.length)}${only.length > 500 ? ", the first 500" : ""}` }),
        h("thead", {}, h("tr", {}, ...["day", "who", "does", "to"].map((text) => h("th", { scope: "col", text })))),
        h("tbody", {}, ...only.slice(0, 500).map((event) => h("tr", {}, h("td", { class: "date", text: daySaid(meta.start, event.t) }),
          h("td", {}, title(event.source)), h("td", {}, name(meta.acts.find((one) => one.id === event.act)?.title ?? event.act, 60)),
          h("td", {}, title(event.target)))))));
  }));
}

/** Numbers of one history: acts, hostile acts, standoffs, days in them, acts of actors that were drawn in. */
function countsOf(meta, history) {
  const tone = new Map(meta.acts.map((act) => [act.id, act.class]));
  return {
    acts: history.events.length,
    "hostile acts": history.events.filter((event) => tone.get(event.act) === "hostile").length,
    standoffs: history.standoffs.length,
    "days in standoffs": history.standoffs.reduce((sum, one) => sum + Math.floor(one.last ?? one.end) - Math.floor(one.start) + 1, 0),
    "acts of those drawn in": drawnIn(history.events).filter(Boolean).length,
  };
}

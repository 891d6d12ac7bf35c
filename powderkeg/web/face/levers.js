// What can be moved: a lever for every number with a range, a switch for every tie, intervention and policy.
// In: the metadata, the world that the levers move. Out: changes of that world.

const SHOWN_AT_FIRST = matchMedia("(max-width: 46rem)").matches ? 5 : 12;
const POSITIONS = 1000;

class Levers {
  constructor(place, asked) {
    Object.assign(this, { place, asked });
    this.made = new Map();
    this.all = false;
    this.wasOpen = new Map();
    this.search = h("input", { type: "search", id: "find-lever", autocomplete: "off", placeholder: "name, source, unit",
      on: { input: () => this.arrange() } });
    this.order = h("select", { id: "order-levers", on: { change: () => this.arrange() } },
      h("option", { value: "moves", text: "the most moving first" }), h("option", { value: "groups", text: "by group" }),
      h("option", { value: "changed", text: "changed ones only" }));
    this.watch = h("select", { id: "watch", on: { change: () => this.asked.change((next) => {
      next.watch = this.watch.value || null;
    }) } }, h("option", { value: "", text: "all questions" }),
    ...shownOutcomes(asked.meta).map((one) => h("option", { value: one.id, text: words(one.title, 60) })));
    this.count = h("p", { class: "note", role: "status" });
    this.weighing = h("p", { class: "note" });
    this.list = h("div", { class: "lever-list" });
    this.more = button("", () => this.showAll(), { class: "quiet more" });
    this.switches = h("div", { class: "switches" });
    put(place, h("h2", { id: "h-levers", text: "Levers" }), h("p", { class: "note", id: "levers-of" }),
      h("div", { class: "lever-tools" },
        h("label", { for: "find-lever", text: "Find" }), this.search,
        h("label", { for: "order-levers", text: "Order" }), this.order,
        h("label", { for: "watch", text: "Watch" }), this.watch),
      this.switches, this.count, this.weighing, this.list, this.more);
    this.makeSwitches();
    this.arrange();
  }

  makeSwitches() {
    const titles = { intervention: "Interventions", policy: "Policies", tie: "Ties" };
    const kinds = Object.keys(titles).filter((kind) => this.asked.meta.switches.some((one) => one.kind === kind));
    this.boxes = new Map();
    put(this.switches, ...kinds.map((kind) => h("details", { class: "group", open: kind === "intervention" },
      h("summary", { text: titles[kind] }),
      ...this.asked.meta.switches.filter((one) => one.kind === kind).map((one) => this.makeSwitch(one)))));
  }

  makeSwitch(one) {
    const id = `switch-${this.boxes.size}`;
    const box = h("input", { type: "checkbox", role: "switch", id, "data-switch": one.id,
      "aria-describedby": one.note ? `${id}-note` : null,
      on: { change: () => this.asked.setSwitch(one.id, box.checked) } });
    this.boxes.set(one.id, box);
    return h("div", { class: "switch", "data-text": `${one.title} ${one.id} ${one.note ?? ""}`.toLowerCase() }, box, h("label", { for: id }, name(one.title, 140)),
      one.note ? h("p", { class: "note", id: `${id}-note` }, name(one.note, 200)) : null);
  }

  /** Of the switches those that answer to all words; all, folded as before, where nothing is sought. Says how many. */
  seekSwitches(sought) {
    let found = 0;
    for (const group of this.switches.children) {
      const answering = [...group.querySelectorAll(".switch")].filter((one) => {
        one.hidden = !sought.every((word) => one.dataset.text.includes(word));
        return !one.hidden;
      });
      group.hidden = !answering.length;
      if (sought.length && !this.wasOpen.has(group)) this.wasOpen.set(group, group.open);
      group.open = sought.length ? true : this.wasOpen.get(group) ?? group.open;
      found += answering.length;
    }
    if (!sought.length) this.wasOpen.clear();
    return found;
  }

  /** How much a lever moves what is watched, 0 to 1: the largest mover of an outcome counts 1. */
  weight(lever) {
    this.largest ??= largestMoves(this.asked.meta);
    const watch = this.asked.now.watch;
    const shares = Object.entries(lever.moves ?? {}).filter(([id]) => !watch || id === watch)
      .map(([id, move]) => Math.abs(move) / (this.largest.get(id) || Infinity));
    if (!shares.length) return 0;
    return watch ? shares[0] : shares.reduce((sum, share) => sum + share, 0) / this.largest.size;
  }

  /** Another lever has been weighed. The list is put in order at the end, and not under somebody's hands. */
  weighed(weights) {
    if (!weights.done) {
      setText(this.weighing, `Trying which levers move most: ${weights.all - weights.left.length} of ${weights.all}.`);
      return;
    }
    this.largest = null;
    const inHand = this.list.matches(":hover, :focus-within");
    const sort = () => {
      put(this.weighing);
      this.arrange();
    };
    if (inHand) put(this.weighing, button("Put the most moving first", sort, { class: "quiet" }));
    else sort();
  }

  showAll() {
    this.all = !this.all;
    this.arrange();
  }

  /** Which levers stand there and in which order. The one in hand stays in hand. */
  arrange() {
    const { meta } = this.asked;
    this.watched = this.asked.now.watch;
    const sought = this.search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const switches = this.seekSwitches(sought);
    const fits = (lever) => sought.every((word) => this.textOf(lever).includes(word));
    const found = meta.levers.filter(fits).map((lever) => ({ lever, weight: this.weight(lever) }));
    found.sort((a, b) => b.weight - a.weight);
    const order = this.order.value;
    const chosen = order === "changed" ? found.filter(({ lever }) => lever.path in this.asked.world.set) : found;
    const few = this.all || sought.length || order !== "moves" ? chosen : chosen.slice(0, SHOWN_AT_FIRST);
    const held = document.activeElement;
    if (order === "groups") put(this.list, ...this.byGroup(few, sought.length > 0));
    else put(this.list, ...few.map(({ lever }) => this.leverOf(lever).element));
    if (held && held !== document.activeElement && this.list.contains(held)) held.focus();
    setText(this.count, this.countSaid(few.length, found.length, sought.length ? switches : null, order));
    this.more.hidden = order !== "moves" || sought.length > 0 || chosen.length <= SHOWN_AT_FIRST;
    setText(this.more, this.all ? `Show the first ${SHOWN_AT_FIRST} only` : `Show all ${chosen.length}`);
    this.show();
  }

  countSaid(shown, found, switches, order) {
    if (order === "changed" && !shown) return "No lever of this world has been moved.";
    const beside = switches ? `, ${switches} switch${switches === 1 ? "" : "es"}` : "";
    if (switches !== null && !found) return switches ? `No lever${beside} found` : "No lever and no switch answers to that.";
    return `${shown} of ${this.asked.meta.levers.length} levers` + beside + (switches !== null ? " found" : "");
  }

  textOf(lever) {
    return `${lever.title} ${lever.path} ${lever.group} ${lever.source ?? ""} ${unitOf(lever)}`.toLowerCase();
  }

  byGroup(found, open) {
    const groups = [...new Set(this.asked.meta.levers.map((lever) => lever.group))];
    return groups.map((group) => [group, found.filter(({ lever }) => lever.group === group)])
      .filter(([, list]) => list.length)
      .map(([group, list], index) => h("details", { class: "group", open: open || index === 0 },
        h("summary", {}, name(list[0].lever.group_title ?? capital(group)), ` (${list.length})`),
        ...list.map(({ lever }) => this.leverOf(lever).element)));
  }

  leverOf(lever) {
    if (!this.made.has(lever.path)) this.made.set(lever.path, new Lever(lever, this.made.size, this.asked));
    return this.made.get(lever.path);
  }

  /** The levers as the state has them. */
  show() {
    const { asked } = this;
    put(document.getElementById("levers-of"), "They move ", name(asked.world.name, 60), ".");
    for (const lever of this.made.values()) lever.show(asked.world.set[lever.lever.path], this.weight(lever.lever));
    for (const [id, box] of this.boxes) box.checked = asked.isOn(asked.world, id);
    this.watch.value = asked.now.watch ?? "";
    if (this.watched !== asked.now.watch) this.arrange();
  }
}

class Lever {
  constructor(lever, index, asked) {
    Object.assign(this, { lever, asked });
    const id = `lever-${index}`;
    const title = words(lever.title, 140);
    const grip = () => `lever ${lever.path}`;
    this.slide = h("input", { type: "range", id, min: 0, max: POSITIONS, step: 1, "data-path": lever.path,
      "aria-describedby": `${id}-note`,
      on: { input: () => asked.setLever(lever.path, valueAt(lever, Number(this.slide.value)), grip()),
        change: () => asked.letGo(), keydown: (event) => this.press(event) } });
    this.field = h("input", { type: "number", step: "any", "aria-label": `${title}, as a number`, "data-number": lever.path,
      on: { change: () => this.typed() } });
    this.back = button("Reset", () => asked.setLever(lever.path, lever.value),
      { class: "quiet", "aria-label": `Reset ${title} to ${shownOf(lever, lever.value)}` });
    this.bar = h("span", { class: "weight", "aria-hidden": "true" });
    this.outside = h("span", { class: "outside", hidden: true, text: "outside its range" });
    const unit = unitOf(lever);
    this.element = h("div", { class: "lever" },
      h("label", { for: id }, name(lever.title, 140), lever.guess ? h("span", { class: "guess", text: "guess" }) : null),
      this.bar, this.slide,
      h("span", { class: "value" }, this.field, h("span", { class: "unit", text: unit }), this.back, this.outside),
      h("p", { class: "note", id: `${id}-note` }, `${shownOf(lever, lever.low)} to ${shownOf(lever, lever.high)}`,
        lever.scale === "log" ? ", log scale" : "", lever.source ? " · source: " : "",
        lever.source ? name(lever.source, 80) : null, lever.note ? " · " : "", lever.note ? name(lever.note, 160) : null));
    this.slide.style.setProperty("--at", String(positionOf(lever, lever.value) / POSITIONS));
  }

  /** Large steps for the page keys; the arrows move by one in a thousand times ten. */
  press(event) {
    const steps = { ArrowRight: 10, ArrowUp: 10, ArrowLeft: -10, ArrowDown: -10, PageUp: 100, PageDown: -100 };
    const step = steps[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const position = Math.min(Math.max(Number(this.slide.value) + step, 0), POSITIONS);
    this.slide.value = position;
    this.asked.setLever(this.lever.path, valueAt(this.lever, position), `lever ${this.lever.path}`);
  }

  typed() {
    const value = exactly(Number(this.field.value) / (this.lever.times ?? 1));
    if (this.field.value === "" || !Number.isFinite(value)) this.show(this.asked.world.set[this.lever.path], 0);
    else this.asked.setLever(this.lever.path, value);
  }

  show(set, weight) {
    const { lever } = this;
    const value = set ?? lever.value;
    const position = Math.round(positionOf(lever, value));
    if (Number(this.slide.value) !== position) this.slide.value = position;
    this.slide.setAttribute("aria-valuetext", `${shownOf(lever, value)} ${unitOf(lever)}`.trim());
    const shown = exactly(value * (lever.times ?? 1));
    if (document.activeElement !== this.field || Number(this.field.value) !== shown) this.field.value = shown;
    this.element.classList.toggle("moved", set !== undefined);
    this.bar.hidden = !lever.moves || !Object.keys(lever.moves).length;
    this.back.hidden = set === undefined;
    this.outside.hidden = value >= lever.low && value <= lever.high;
    if (weight) this.bar.style.setProperty("--weight", `${Math.round(weight * 100)}%`);
  }
}

/** Where a value stands on its slider, 0 to POSITIONS; values outside the range stand at its end. */
function positionOf(lever, value) {
  const share = isLog(lever) ? Math.log(Math.max(value, lever.low) / lever.low) / Math.log(lever.high / lever.low)
    : (value - lever.low) / (lever.high - lever.low);
  return Math.min(Math.max(share, 0), 1) * POSITIONS || 0;
}

/** The value at a position: three digits, the ends and the scenario's own value exactly. */
function valueAt(lever, position) {
  if (position <= 0) return lever.low;
  if (position >= POSITIONS) return lever.high;
  if (Math.abs(position - positionOf(lever, lever.value)) < 4) return lever.value;
  const share = position / POSITIONS;
  const value = isLog(lever) ? lever.low * (lever.high / lever.low) ** share : lever.low + share * (lever.high - lever.low);
  const times = lever.times ?? 1;
  return exactly(Number((value * times).toPrecision(3)) / times);
}

/** A value in the unit that people read it in, and that unit; inside, everything is in days. */
function shownOf(lever, value) {
  return written(value * (lever.times ?? 1));
}

function unitOf(lever) {
  return words(lever.shown ?? lever.unit ?? "", 30);
}

/** A number without the dust of a conversion: twelve digits. */
function exactly(value) {
  return Number(value.toPrecision(12));
}

function isLog(lever) {
  return lever.scale === "log" && lever.low > 0;
}

/** For each outcome that can be seen, the largest move that any lever makes. */
function largestMoves(meta) {
  const largest = new Map();
  for (const { id } of shownOutcomes(meta)) {
    const most = Math.max(0, ...meta.levers.map((lever) => Math.abs(lever.moves?.[id] ?? 0)));
    if (most > 0) largest.set(id, most);
  }
  return largest;
}

function shownOutcomes(meta) {
  return meta.outcomes.filter((one) => !one.hidden);
}

function capital(text) {
  const line = words(text).replaceAll("_", " ");
  return line.charAt(0).toUpperCase() + line.slice(1);
}

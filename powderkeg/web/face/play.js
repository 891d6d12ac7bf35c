// One history, act by act: played, stepped, taken part in.
// In: a Playback. Out: controls, the act of the moment with its chain of causes, facts and ties, branches and their ghost.

const SPEEDS = [["slow", 1600], ["usual", 700], ["fast", 250], ["very fast", 80]];

class Play {
  constructor(place, asked, runs, engine) {
    Object.assign(this, { asked, runs, timer: null });
    const { meta } = asked;
    this.playback = new Playback(engine, meta);
    this.network = new Network(meta);
    this.strip = new Strip(meta, "The history being played");
    this.made(place, meta);
    new ResizeObserver(() => this.playback.setting && this.width !== this.strip.figure.clientWidth && this.drawStrip()).observe(this.strip.figure);
  }

  made(place, meta) {
    this.world = h("select", { id: "play-world" });
    this.run = h("input", { type: "number", id: "play-run", min: 0, step: 1, value: 0 });
    this.part = h("select", { id: "play-part", on: { change: () => this.takePart() } }, h("option", { value: "", text: "nobody: watch" }),
      ...meta.actors.map((actor) => h("option", { value: actor.id, text: short(actor.title, 40) })));
    this.speed = h("select", { id: "play-speed", on: { change: () => this.timer && this.start() } },
      ...SPEEDS.map(([title, pace]) => h("option", { value: pace, text: title, selected: title === "usual" })));
    this.toggle = button("Play", () => (this.timer ? this.stop() : this.start()), { class: "main", id: "play-toggle" });
    this.scrub = h("input", { type: "range", id: "play-scrub", min: -1, step: 1, "aria-label": "Act of the history",
      on: { input: () => this.jump(Number(this.scrub.value)) } });
    this.message = h("p", { class: "note", role: "status", id: "play-message" });
    this.now = h("div", { class: "now" });
    this.choice = h("div", { class: "choice", id: "play-choice", tabindex: -1, hidden: true });
    this.chain = h("div", { class: "chain" });
    this.standing = h("div", { class: "standing" });
    this.branches = h("div", { class: "branches" });
    this.table = h("div");
    put(place, h("h2", { id: "h-play", text: "Play one history" }),
      h("p", { text: "Act by act, each with what set it off. Take the part of an actor and choose otherwise at its moves: the rest of the world "
        + "answers by the same chance, so that what differs afterwards is owed to the choice." }),
      h("div", { class: "tools" }, h("label", { for: "play-world", text: "World" }), this.world, h("label", { for: "play-run", text: "Run" }), this.run,
        button("Open", () => this.open(), { id: "play-open" }), h("label", { for: "play-part", text: "You are" }), this.part),
      h("div", { class: "tools controls", role: "group", "aria-label": "Playing" },
        button("Back", () => this.move(() => this.playback.back()), { id: "play-back" }), this.toggle,
        button("Step", () => this.move(() => this.playback.step()), { id: "play-step" }),
        button("Next standoff", () => this.nextStandoff(), { id: "play-next" }), h("label", { for: "play-speed", text: "Speed" }), this.speed),
      this.scrub, this.message,
      h("div", { class: "stage-of-play" }, h("div", { class: "left" }, this.network.svg), h("div", { class: "right" }, this.choice, this.now, this.chain),
        this.standing),
      h("section", { "aria-labelledby": "h-strip" }, h("h3", { id: "h-strip", text: "The whole strip" }), this.strip.figure, this.strip.read, stripLegend(false),
        exporters(() => this.strip.svg, meta.scenario, "played")),
      h("section", { "aria-labelledby": "h-branches" }, h("h3", { id: "h-branches", text: "Branches" }), this.branches), this.table);
  }

  /** The worlds that can be played; called when they change. */
  offer() {
    const { now } = this.asked;
    const chosen = this.world.value;
    put(this.world, h("option", { value: "-1", text: "Baseline" }), ...now.worlds.map((world, index) => h("option", { value: String(index), text: words(world.name, 40) })));
    this.world.value = chosen !== "" && Number(chosen) < now.worlds.length ? chosen : "-1";
  }

  async open(index = Number(this.world.value), replicate = Number(this.run.value)) {
    this.stop();
    this.offer();
    this.world.value = String(index);
    this.run.value = replicate;
    const { seed, years } = this.asked.now;
    await this.tried(async () => {
      if (!Number.isInteger(replicate) || replicate < 0) throw new Error("a run has a whole number, from 0");
      await this.playback.open({ world: JSON.parse(JSON.stringify(this.asked.worldAt(index))), seed, replicate, years });
      this.drawAll();
      setText(this.message, `Run ${replicate} of ${words(this.playback.setting.world.name, 40)}: ${grouped(this.playback.events.length)} acts in ${written(years)} years.`);
    });
  }

  async ready() {
    this.offer();
    if (this.playback.setting) return;
    const { seed, years } = this.asked.now;
    const entry = this.runs.of({ world: this.asked.worldAt(-1), seed, years });
    await this.open(-1, entry.median ?? 0);
  }

  async tried(act) {
    try {
      await act();
    } catch (error) {
      setText(this.message, `Not done: ${words(error.message, 400)}`);
    }
  }

  start() {
    if (!this.playback.setting) return;
    clearInterval(this.timer);
    if (this.playback.ended) this.playback.goTo(-1);
    this.timer = setInterval(() => {
      if (!this.playback.step()) this.stop();
      this.draw();
    }, Number(this.speed.value));
    setText(this.toggle, "Pause");
    this.draw();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    setText(this.toggle, "Play");
  }

  move(act) {
    if (!this.playback.setting) return;
    this.stop();
    act();
    this.draw();
    if (this.playback.event && !this.playback.pending) announce(actSaid(this.asked.meta, this.playback.event));
  }

  jump(index) {
    this.move(() => this.playback.goTo(index));
  }

  nextStandoff() {
    this.move(() => {
      if (!this.playback.toNextStandoff()) setText(this.message, "No standoff begins after this act.");
    });
  }

  takePart() {
    this.stop();
    this.playback.actor = this.part.value || null;
    this.playback.pending = null;
    if (this.playback.setting) this.draw();
  }

  drawAll() {
    this.part.value = this.playback.actor ?? "";
    this.draw();
    this.drawStrip();
    this.drawBranches();
  }

  draw() {
    const { playback } = this;
    const { meta } = this.asked;
    this.scrub.max = playback.events.length - 1;
    this.scrub.value = playback.at;
    this.scrub.setAttribute("aria-valuetext", playback.event ? actSaid(meta, playback.event) : "before the first act");
    this.network.show(playback.pending ?? playback.event, playback.ties(), playback.actor);
    this.strip.setCursor(playback.time);
    this.drawNow(meta);
    this.drawChain(meta);
    this.drawStanding(meta);
    this.drawChoice();
  }

  drawNow(meta) {
    const { playback } = this;
    const { event } = playback;
    const count = `${playback.at + 1} of ${grouped(playback.events.length)}`;
    put(this.now, h("p", { class: "count note", text: event ? `act ${count}${playback.current ? ` of ${words(playback.branch.name, 40)}` : ""}` : "before the first act" }),
      event ? h("p", { class: `act-now ${meta.acts.find((act) => act.id === event.act)?.class ?? ""}` }, h("span", { class: "date", text: daySaid(meta.start, event.t) }),
        ...sentence(meta, event)) : h("p", { class: "act-now", text: "Press Step or Play." }),
      event ? h("p", { class: "note" }, ...originSaid(meta, playback, event)) : null);
  }

  /** The chain of causes, each act a button that leads there, and what the act drew in its turn. */
  drawChain(meta) {
    const { playback } = this;
    const link = (index) => h("li", {}, button("", () => this.jump(index), { class: `quiet link${index === playback.at ? " here" : ""}`,
      "aria-current": index === playback.at ? "step" : null }));
    const fill = (item, index) => {
      item.firstChild.append(`${daySaid(meta.start, playback.events[index].t)}: `, ...sentence(meta, playback.events[index]));
      return item;
    };
    const chain = playback.event ? playback.chain() : [];
    const drew = playback.event ? playback.offspring() : [];
    put(this.chain, chain.length > 1 ? h("h3", { text: "How it came to this" }) : null,
      chain.length > 1 ? h("ol", {}, ...chain.map((index) => fill(link(index), index))) : null,
      drew.length ? h("h3", { text: "What it draws" }) : null,
      drew.length ? h("ul", {}, ...drew.slice(0, 20).map((index) => fill(link(index), index))) : null);
  }

  drawStanding(meta) {
    const { playback } = this;
    const title = (id) => shortName(meta.actors.find((one) => one.id === id)?.title ?? id, 30);
    const held = playback.ties();
    const facts = playback.facts().map(({ fact, level, source, target, since }) => h("li", {}, name(fact.title || fact.id, 80), level ? ": " : "", level ? name(level, 40) : null,
      source ? " (" : "", source ? title(source) : null, target ? " \u2192 " : "", target ? title(target) : null, source ? ")" : "",
      since > 0 ? h("span", { class: "note", text: ` since ${daySaid(meta.start, since)}` }) : null));
    put(this.standing, h("div", {}, h("h3", { text: "What is the case" }), facts.length ? h("ul", {}, ...facts) : h("p", { class: "note", text: "nothing that would matter" })),
      h("div", {}, h("h3", { text: "Ties that hold" }), h("ul", {}, ...meta.ties.filter((tie) => held.has(tie.id)).slice(0, 40).map((tie) => h("li", {}, tieSaid(tie, title))))));
  }

  /** At a move of the actor that is played: let it, hold it back, or something else that the scenario allows. */
  drawChoice() {
    const { playback } = this;
    const { meta } = this.asked;
    const shown = JSON.stringify([playback.actor, playback.current, playback.at, playback.pending && idOf(playback.pending)]);
    if (shown === this.choiceShown) return;
    this.choiceShown = shown;
    this.choice.hidden = !playback.actor;
    if (!playback.actor) return;
    const { pending } = playback;
    const other = h("select", { id: "play-other", "aria-label": "Another move" }, h("option", { value: "", text: "another move \u2026" }));
    const fill = button(pending ? "Do this instead" : "Do this now", () => this.decide(JSON.parse(other.value)), { id: "play-instead" });
    const more = h("p", { class: "tools", id: "play-moves" }, other, fill);
    fill.disabled = true;
    const head = pending ? h("p", { class: "act-now" }, h("span", { class: "date", text: `${daySaid(meta.start, pending.t)} \u2013 your move` }), "By itself: ", ...sentence(meta, pending),
      playback.opens(pending) ? h("span", { class: "note", text: " It opens a standoff." }) : null)
      : h("p", { class: "note", text: "Between its moves the actor may also act of its own accord. Step or play on to its next move." });
    put(this.choice, head, pending ? h("p", { class: "tools" }, button("Let it act", () => this.letAct(), { id: "play-let", class: "main" }),
      button("Hold it back", () => this.decide(null), { id: "play-hold" })) : null, more);
    if (pending) {
      announce(`Your move on ${daySaid(meta.start, pending.t)}. By itself: ${actSaid(meta, pending)}${playback.opens(pending) ? " It opens a standoff." : ""}`);
      this.choice.focus({ preventScroll: true });
    }
    this.tried(async () => this.offerMoves(other, fill, await playback.choices(), pending));
  }

  offerMoves(other, fill, moves, pending) {
    const { meta } = this.asked;
    const fresh = moves.filter((move) => !pending || move.act !== pending.act || move.target !== pending.target);
    const title = (list, id) => short(list.find((one) => one.id === id)?.title ?? id ?? "", 50);
    put(other, ...fresh.map((move) => h("option", { value: JSON.stringify(move), text: `${title(meta.acts, move.act)}${move.target ? ` \u2192 ${title(meta.actors, move.target)}` : ""}` })));
    fill.disabled = !fresh.length;
    if (!fresh.length) put(other, h("option", { value: "", text: "the scenario allows no other move now" }));
  }

  letAct() {
    this.playback.letAct();
    this.draw();
    document.getElementById("play-step").focus({ preventScroll: true });
  }

  async decide(move) {
    await this.tried(async () => {
      await this.playback.choose(move);
      this.drawAll();
      setText(this.message, `${words(this.playback.branch.name, 40)}: chosen. What differs from the history by itself is marked in the strip.`);
      document.getElementById("play-step").focus({ preventScroll: true });
    });
  }

  drawStrip() {
    const { playback } = this;
    this.width = this.strip.figure.clientWidth;
    const [ghost] = playback.branches;
    const own = playback.branch;
    const panels = playback.current === 0 ? [{ title: "By itself", index: -1, history: ghost.history, shared: null }]
      : [{ title: `Without my acts: ${words(ghost.name, 30)}`, index: -1, history: ghost.history, shared: sharedActs(ghost.history, own.history) },
        { title: words(own.name, 50), index: 0, history: own.history, shared: sharedActs(own.history, ghost.history) }];
    this.strip.draw(panels, playback.setting.years * YEAR, playback.time);
    const { meta } = this.asked;
    put(this.table, playback.current === 0 ? null : wide("Branch and ghost in numbers", numbersTable(meta, panels)), wide("Who was drawn in", drawnTable(meta, panels)), stripTable(meta, panels));
  }

  drawBranches() {
    const { playback } = this;
    const { meta } = this.asked;
    const counts = playback.branches.map((branch) => countsOf(meta, branch.history));
    const what = Object.keys(counts[0]);
    const rename = (branch) => h("input", { type: "text", value: branch.name, maxlength: LONGEST_NAME, "aria-label": "Name of the branch", on: { change: (event) => {
      branch.name = words(event.target.value, LONGEST_NAME) || branch.name;
      this.drawAll();
    } } });
    put(this.branches, wide("Branches", h("table", { class: "results numbers" }, h("thead", {}, h("tr", {}, h("th", { scope: "col", text: "branch" }),
      h("th", { scope: "col", text: "choices" }), ...what.map((text) => h("th", { scope: "col", class: "number", text })), h("th", { scope: "col" }, h("span", { class: "unseen", text: "what to do" })))),
    h("tbody", {}, ...playback.branches.map((branch, index) => h("tr", { class: index === playback.current ? "current" : null },
      h("th", { scope: "row" }, index ? rename(branch) : "By itself"),
      h("td", { text: index ? `${branch.script.length} done, ${branch.withhold.length} held back` : "none" }),
      ...what.map((key) => h("td", { class: "number", text: grouped(counts[index][key]) })),
      h("td", {}, index === playback.current ? "shown" : button("Show", () => { playback.take(index); this.drawAll(); }, { class: "quiet", "aria-label": `Show ${words(branch.name, 40)}` }),
        index ? button("Drop", () => { playback.drop(index); this.drawAll(); }, { class: "quiet", "aria-label": `Drop ${words(branch.name, 40)}` }) : null)))))),
    h("p", { class: "tools" }, button("Save the played history", () => download(`${fileName(meta.scenario, "played")}.json`, playback.saved(), "application/json"), { id: "play-save" }),
      filePicker("Load a played history", ".json", (text) => this.tried(async () => {
        await playback.load(text, this.asked);
        this.drawAll();
        setText(this.message, "Loaded.");
      }), "play-load")));
  }
}

/** Who to whom and what, each kept apart from the others' direction of writing; no verb has to fit one actor or many. */
function sentence(meta, event) {
  const actor = (id) => shortName(meta.actors.find((one) => one.id === id)?.title ?? id ?? "", 40);
  const act = name(meta.acts.find((one) => one.id === event.act)?.title ?? event.act, 70);
  return [h("b", {}, actor(event.source)), ...(event.target ? [" \u2192 ", actor(event.target)] : []), ": ", act];
}

/** What set an act off, in words. */
function originSaid(meta, playback, event) {
  if (event.forced) return ["Done by hand."];
  if (event.cause < 0) return ["Of its own accord: nothing before it set it off."];
  const cause = playback.events[event.cause];
  const by = event.mechanism ? [" by ", h("b", {}, name(event.mechanism_title ?? String(event.mechanism).replaceAll("_", " "), 80))] : [];
  return ["Drawn", ...by, `, ${measured(event.t - cause.t)} days after: `, ...sentence(meta, cause)];
}

function tieSaid(tie, title) {
  const told = h("span", {}, title(tie.from), ` \u2013 ${words(tie.kind, 30)} \u2192 `, title(tie.to));
  const made = tie.title?.includes(tie.from) && tie.title.includes(tie.to); // out of names, where the scenario gives no title
  if (tie.title && !made) told.append(" (", name(tie.title, 60), ")");
  return told;
}

/** A button that reads a file of the reader's. */
function filePicker(text, kinds, take, id) {
  const input = h("input", { type: "file", accept: kinds, id, hidden: true, on: { change: async () => {
    const [file] = input.files;
    input.value = "";
    if (file) take(file.size > 5e6 ? "" : await file.text());
  } } });
  return h("span", {}, button(text, () => input.click(), { id: `${id}-button` }), input);
}

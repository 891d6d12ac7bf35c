// Which worlds are there, which of them do the levers move, and what do they assume?
// In: the state. Out: a card for each world; undo, redo, reset; files of edits saved and loaded.

class WorldBar {
  constructor(place, asked, engine) {
    Object.assign(this, { asked, engine });
    this.cards = h("div", { class: "cards", role: "group", "aria-label": "Worlds" });
    this.undo = button("Undo", () => asked.undo(), { id: "undo" });
    this.redo = button("Redo", () => asked.redo(), { id: "redo" });
    this.reset = button("Reset all", () => asked.reset(), { id: "reset" });
    this.add = button("Copy to a new world", () => asked.addWorld(), { id: "add-world" });
    this.against = h("select", { id: "against", on: { change: () => asked.change((next) => { next.against = Number(this.against.value); }) } });
    this.seed = h("input", { type: "number", id: "seed", min: 0, step: 1, on: { change: () => this.number(this.seed, "seed", (x) => Number.isSafeInteger(x) && x >= 0) } });
    this.years = h("input", { type: "number", id: "years", min: 0, step: "any", on: { change: () => this.number(this.years, "years", (x) => x > 0 && x <= 1000) } });
    this.message = h("p", { class: "note", role: "status", id: "file-message" });
    put(place, this.cards,
      h("div", { class: "tools" }, this.undo, this.redo, this.reset, this.add,
        h("label", { for: "against", text: "Differences from" }), this.against,
        h("details", { class: "menu" }, h("summary", { text: "Runs and files" }), h("div", {},
          h("p", { class: "tools" }, h("label", { for: "years", text: "Years" }), this.years, h("label", { for: "seed", text: "Seed" }), this.seed),
          h("p", { class: "tools" }, button("Save this world as a scenario file", () => this.save(), { id: "save-world" }),
            filePicker("Load a scenario file", ".yaml,.yml", (text) => this.load(text), "load-world"),
            button("Copy the address", () => this.copy(), { id: "copy-address" }))))),
      this.message);
  }

  number(field, key, fits) {
    const value = Number(field.value);
    if (field.value !== "" && fits(value)) this.asked.change((next) => { next[key] = value; });
    else {
      setText(this.message, `${capital(key)} stays at ${this.asked.now[key]}: ${words(field.value, 20) || "nothing"} cannot be taken.`);
      field.value = this.asked.now[key];
    }
  }

  async save() {
    await this.tried(async () => {
      const { world, meta } = { world: this.asked.world, meta: this.asked.meta };
      const text = await this.engine.yaml(editsOf(world), { title: world.name, seed: this.asked.now.seed, years: this.asked.now.years });
      const file = `${fileName(meta.scenario, world.name)}.yaml`;
      download(file, text, "application/yaml");
      setText(this.message, `Saved as ${file}. The same numbers on the command line: powderkeg compare ${file}; its first lines say the whole command.`);
    });
  }

  async load(text) {
    await this.tried(async () => {
      const world = await this.engine.parse(text);
      this.asked.takeWorld(world, world.title ?? world.name ?? "Loaded");
      setText(this.message, "Loaded.");
    });
  }

  async copy() {
    await this.tried(async () => {
      await navigator.clipboard.writeText(location.href);
      setText(this.message, "The address of this state is copied.");
    });
  }

  async tried(act) {
    try {
      await act();
    } catch (error) {
      setText(this.message, `Not done: ${words(error.message, 600)}`);
    }
  }

  draw() {
    const { asked } = this;
    const { now } = asked;
    this.undo.disabled = !asked.past.length;
    this.redo.disabled = !asked.future.length;
    this.add.disabled = now.worlds.length >= MOST_WORLDS;
    for (const [field, key] of [[this.seed, "seed"], [this.years, "years"]]) if (document.activeElement !== field) field.value = now[key];
    put(this.against, h("option", { value: "-1", text: "Baseline" }),
      ...now.worlds.map((world, index) => (index === now.at ? null : h("option", { value: String(index), text: words(world.name, 40) }))));
    this.against.value = String(now.against);
    this.drawCards(now);
  }

  /** The cards are made anew only where there are others; what is typed into a name is not torn away. */
  drawCards(now) {
    if (this.plan !== now.worlds.length) {
      this.plan = now.worlds.length;
      this.made = now.worlds.map((_, index) => this.card(index));
      put(this.cards, h("div", { class: "card base" }, h("p", { class: "card-name" }, marker(-1), " Baseline"),
        h("p", { class: "note", text: "the scenario as it stands" })), ...this.made.map(({ element }) => element));
    }
    now.worlds.forEach((world, index) => this.drawCard(world, index, now));
  }

  card(index) {
    const { asked } = this;
    const field = h("input", { type: "text", class: "world-name", maxlength: LONGEST_NAME, dir: "auto", "aria-label": `Name of world ${index + 1}`,
      on: { change: () => asked.change((next) => { next.worlds[index].name = words(field.value, LONGEST_NAME) || `World ${index + 1}`; }) } });
    const choose = h("input", { type: "radio", name: "world", id: `world-${index}`, on: { change: () => asked.change((next) => {
      next.at = index;
      if (next.against === index) next.against = -1;
    }) } });
    const summary = h("summary");
    const list = h("ul", { class: "assumptions" });
    const details = h("details", {}, summary, list);
    const none = h("p", { class: "note", text: "the same as the baseline so far" });
    const element = h("div", { class: "card" }, h("p", { class: "card-name" }, choose, h("label", { for: `world-${index}`, class: "pick" }, marker(index), h("span", { class: "unseen", text: `Levers move world ${index + 1}` })), field,
      button("Drop", () => asked.dropWorld(index), { class: "quiet", "aria-label": `Drop world ${index + 1}` })), none, details);
    return { element, field, choose, summary, list, details, none };
  }

  drawCard(world, index, now) {
    const { element, field, choose, summary, list, details, none } = this.made[index];
    if (document.activeElement !== field) field.value = world.name;
    choose.checked = index === now.at;
    element.classList.toggle("current", index === now.at);
    const lines = assumptionsOf(world, this.asked);
    none.hidden = lines.length > 0;
    details.hidden = lines.length === 0;
    setText(summary, `${lines.length} ${lines.length === 1 ? "assumption differs" : "assumptions differ"}`);
    put(list, ...lines.map((line) => h("li", {}, h("bdi", { text: line }))));
  }
}

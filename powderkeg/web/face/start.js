// The page comes alive: engine and state are joined, every change is drawn, the address follows.

class Face {
  constructor(engine) {
    this.engine = engine;
    const { meta } = engine;
    this.asked = new Asked(meta, () => this.changed());
    const wrong = this.asked.follow(location.hash.slice(1));
    this.runs = new Runs(engine, () => this.drawSoon(), () => this.drawSoon());
    this.place = (id) => document.getElementById(id);
    this.heading(meta);
    this.bar = new WorldBar(this.place("worlds"), this.asked, engine);
    this.levers = new Levers(this.place("levers"), this.asked);
    this.results = new Results(this.place("results"), this.asked, this.runs);
    this.histories = new Histories(this.place("histories"), this.asked, this.runs, engine, (world, run) => this.playWorld(world, run));
    this.play = new Play(this.place("play"), this.asked, this.runs, engine);
    this.runs.weighed = () => {
      this.levers.weighed(this.runs.weights);
      if (this.runs.weights.done) this.results.largest = null;
    };
    this.listen();
    if (wrong) this.sayWrong(wrong);
    this.changed();
    document.documentElement.classList.add("alive");
  }

  heading(meta) {
    put(this.place("title"), name(meta.title || meta.scenario, 200));
    document.title = `${words(meta.title || meta.scenario, 100)} \u2013 powderkeg`;
    put(this.place("about"), meta.about ? name(meta.about, 600) : null);
    put(this.place("made-by"), "Made by powderkeg ", name(meta.version, 40), " from ", name(meta.scenario, 80),
      `, SHA-256 ${words(String(meta.digest).slice(0, 12))}. Everything runs in this page: it fetches nothing and sends nothing.`);
  }

  listen() {
    const views = [["view-worlds", "worlds-view"], ["view-play", "play-view"]];
    for (const [id] of views) {
      this.place(id).addEventListener("click", () => this.see(id));
    }
    this.place("look").addEventListener("click", () => changeLook());
    document.addEventListener("keydown", (event) => {
      const typing = event.target.matches("input[type=text], input[type=search], input[type=number]");
      if (!(event.ctrlKey || event.metaKey) || typing || event.altKey) return;
      const key = event.key.toLowerCase();
      if (key === "z" && !event.shiftKey) this.asked.undo();
      else if (key === "y" || (key === "z" && event.shiftKey)) this.asked.redo();
      else return;
      event.preventDefault();
    });
    document.querySelector(".skip").addEventListener("click", (event) => {
      event.preventDefault(); // the address keeps its state
      this.place("results").focus();
    });
    window.addEventListener("hashchange", () => {
      if (location.hash.slice(1) === this.asked.address()) return;
      const before = JSON.stringify(this.asked.now);
      const wrong = this.asked.follow(location.hash.slice(1));
      this.asked.past.push(before);
      this.sayWrong(wrong);
      this.changed();
    });
  }

  sayWrong(wrong) {
    const place = this.place("wrong");
    place.hidden = !wrong;
    setText(place, wrong ? `The state in the address cannot be opened: ${wrong}. The baseline is shown.` : "");
  }

  see(id) {
    const play = id === "view-play";
    this.place("worlds-view").hidden = play;
    this.place("play-view").hidden = !play;
    for (const [other, on] of [["view-play", play], ["view-worlds", !play]]) {
      if (on) this.place(other).setAttribute("aria-current", "page");
      else this.place(other).removeAttribute("aria-current");
    }
    if (play) this.play.ready();
    else this.play.stop();
  }

  playWorld(world, run) {
    this.see("view-play");
    this.place("h-play").scrollIntoView();
    this.play.open(world, run);
  }

  /** Something was moved: the levers and the address at once, the numbers as soon as the engine has them. */
  changed() {
    const { asked } = this;
    this.bar.draw();
    this.levers.show();
    if (this.levers.order.value === "changed") this.levers.arrange();
    this.play.offer();
    const { seed, years } = asked.now;
    const order = [asked.world, asked.reference, ...asked.now.worlds.filter((world) => world !== asked.world)];
    this.runs.want(order.map((world) => ({ world, seed, years })));
    this.drawSoon();
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.settled(), 350);
  }

  /** Nothing has been moved for a moment. */
  settled() {
    const address = `#${this.asked.address()}`;
    if (location.hash !== address) history.replaceState(null, "", address);
    this.told = false;
    this.drawn = null;
    this.drawSoon();
  }

  /** One drawing a frame at most. */
  drawSoon() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    this.results.draw();
    const gist = this.results.gist();
    setText(this.place("gist"), gist);
    if (this.told === false && gist) {
      this.told = true;
      if (!this.place("worlds-view").hidden) announce(`${words(this.asked.world.name, 40)}. ${gist}`);
    }
    const { now } = this.asked;
    const wanted = JSON.stringify([keyOf(this.asked.world), this.asked.world.name, keyOf(this.asked.reference), now.seed, now.years,
      this.histories.replicate]);
    if (this.told && this.histories.replicate !== null && wanted !== this.drawn) {
      this.drawn = wanted;
      this.histories.refresh();
    }
  }
}

/** Light, dark, or as the system has it; said on the button. */
function changeLook() {
  const root = document.documentElement;
  const dark = root.dataset.look ? root.dataset.look === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.look = dark ? "light" : "dark";
}

function cannotRun(error) {
  document.getElementById("fallback").hidden = false;
  setText(document.getElementById("fallback-why"), error?.message ? `(${words(error.message, 300)})` : "");
}

async function begin() {
  try {
    const model = JSON.parse(document.getElementById("model").textContent);
    const engine = await powderkegEngine(model);
    window.powderkeg = Object.assign(window.powderkeg ?? {}, { face: new Face(engine), effectOf });
  } catch (error) {
    cannotRun(error);
    throw error;
  }
}

begin();

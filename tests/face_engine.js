// A toy process that answers the page as the engine does: seeded, paired between worlds, nothing of the real model.
// Chance is drawn for each channel at more than its rate and thinned, so that two worlds share their acts.
function powderkegEngine(meta) {
  const draws = (text) => {
    let h = 2166136261;
    for (let i = 0; i < text.length; i += 1) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
    return () => {
      h = Math.imul(h ^ (h >>> 15), 2246822519) + 0x9e3779b9 | 0;
      const mixed = Math.imul(h ^ (h >>> 13), 3266489917);
      return ((mixed ^ (mixed >>> 16)) >>> 0) / 4294967296;
    };
  };
  const lean = new Map();
  const leaning = (path, act) => {
    const key = `${path}|${act}`;
    if (!lean.has(key)) lean.set(key, path === meta.toy.answers ? 0 : 2 * draws(key)() - 1);
    return lean.get(key);
  };
  const levers = new Map(meta.levers.map((lever) => [lever.path, lever]));
  const factor = (world, act) => {
    let found = 1;
    for (const [path, value] of Object.entries(world.set)) {
      found *= Math.max(0.01, value / levers.get(path).value) ** (0.5 * leaning(path, act));
    }
    for (const id of [...world.on, ...world.off]) found *= Math.exp(0.6 * leaning(id, act));
    return Math.min(found, 4);
  };
  const answersOf = (world) => world.set[meta.toy.answers] ?? levers.get(meta.toy.answers).value;

  function* family(event, index, world, key, days, events, left) {
    const draw = draws(key);
    let room = answersOf(world);
    for (let child = 0; room > 0 && child < 6; child += 1, room -= 1) {
      const [luck, which, wait] = [draw(), draw(), draw()];
      if (luck > room || left <= 0) continue;
      const channel = meta.channels[Math.floor(which * meta.channels.length)];
      const t = event.t - 4 * Math.log(1 - wait * 0.9999);
      if (t < days) yield { t, ...channel, parent: event, mechanism: meta.toy.mechanism, key: `${key}.${child}` };
    }
  }

  function simulate(world, seed, replicate, years, script = [], withhold = []) {
    const days = years * 365.25;
    const open = script.map((act, n) => ({ ...act, parent: null, mechanism: null, forced: true, key: `hand${n}|${act.t}` }));
    meta.channels.forEach((channel, c) => {
      const draw = draws(`${seed}|${replicate}|${c}`);
      const rate = meta.toy.rates[c % meta.toy.rates.length] / 365.25;
      for (let t = 0; ;) {
        t -= Math.log(1 - draw()) / (4 * rate);
        if (t >= days) break;
        const accepted = draw() * 4 < factor(world, channel.act);
        if (accepted) open.push({ t, ...channel, parent: null, mechanism: null, key: `${c}|${t}` });
      }
    });
    const held = (event) => withhold.some((one) => one.source === event.source && one.act === event.act
      && one.target === event.target && Math.abs(one.t - event.t) < 1e-9);
    const events = [];
    let capped = false;
    for (const queue = open; queue.length;) {
      const event = queue.pop();
      if (held(event)) continue;
      events.push(event);
      if (events.length > meta.toy.most) { capped = true; break; }
      queue.push(...family(event, 0, world, `${seed}|${replicate}|${event.key}`, days, events, meta.toy.most - events.length));
    }
    events.sort((a, b) => a.t - b.t);
    const place = new Map(events.map((event, index) => [event, index]));
    return { capped, days, events: events.map(({ t, source, act, target, parent, mechanism, forced }) => ({ t, source, act, target,
      cause: parent ? place.get(parent) ?? -1 : -1, mechanism, forced })) };
  }

  const tone = new Map(meta.acts.map((act) => [act.id, act.class]));
  const standoffsOf = (events) => {
    const found = [];
    for (const event of events) {
      if (tone.get(event.act) !== "hostile") continue;
      const last = found.at(-1);
      if (last && event.t - last.end < 30) { last.end = event.t; last.acts += 1; } else found.push({ start: event.t, end: event.t, by: event.source, acts: 1 });
    }
    const kinds = ["resolved", "suspended", "spent", "chained", "open"];
    return found.filter((one) => one.acts > 1).map((one, n) => ({ ...one, last: one.end, kind: kinds[n % 5], hurt: n % 2 === 0, deaths: false, killed: 0 }));
  };
  const outcomesOf = ({ events, days }) => {
    const standoffs = standoffsOf(events);
    const own = { standoffs: standoffs.length / (days / 365.25), length: standoffs.reduce((sum, one) => sum + one.end - one.start + 1, 0) };
    return Object.fromEntries(meta.outcomes.filter((one) => !one.ratio).map((one) => {
      if (one.id in own) return [one.id, own[one.id]];
      const times = events.filter((event) => event.act === one.toy).map((event) => event.t);
      const value = { chance: times.length ? 1 : 0, count: times.length / (days / 365.25), share: Math.min(1, (10 * times.length) / days),
        time: times.length ? times[0] : days }[one.kind];
      return [one.id, value];
    }));
  };
  const factsOf = (events) => events.flatMap((event, index) => {
    const fact = meta.facts[index % Math.max(1, meta.facts.length)];
    return fact && index % 5 === 0 ? [{ t: event.t, fact: fact.id, on: index % 2 === 0 }] : [];
  });
  const told = (found) => ({ events: found.events, standoffs: standoffsOf(found.events), facts: factsOf(found.events), outcomes: outcomesOf(found) });
  const recordOf = (runs) => Object.fromEntries(meta.record.map((line) => [line.id,
    runs.reduce((sum, one) => sum + outcomesOf(one).standoffs, 0) / runs.length * line.toy]));
  const later = (value) => new Promise((done) => { setTimeout(() => done(value), meta.toy.wait ?? 0); });
  const count = { run: 0 };

  return Promise.resolve({
    meta, count,
    run({ world, replicates, first = 0, years, seed, recorded = replicates }) {
      count.run += 1;
      if (Object.values(world.set).some((value) => value < 0)) return Promise.reject(new Error("a number below 0 was set; expected 0 or more"));
      const runs = Array.from({ length: replicates }, (_, r) => simulate(world, seed, first + r, years));
      const rows = runs.map(outcomesOf);
      const outcomes = Object.fromEntries(Object.keys(rows[0]).map((id) => [id, Float64Array.from(rows, (row) => row[id])]));
      const capped = runs.filter((one) => one.capped).length;
      const order = rows.map((row, r) => [row.standoffs, first + r]).sort((a, b) => a[0] - b[0]);
      return later({ replicates, capped, blame: capped ? meta.toy.mechanism : null, outcomes, record: recorded ? recordOf(runs.slice(0, recorded)) : null, median: order[Math.floor(order.length / 2)][1] });
    },
    history: ({ world, seed, replicate, years }) => later(told(simulate(world, seed, replicate, years))),
    stability: (world) => later({ initial: answersOf(world), worst: answersOf(world) * 1.35, blame: meta.toy.mechanism }),
    play({ world, seed, replicate, years, script, withhold, at, actor }) {
      const found = told(simulate(world, seed, replicate, years, script, withhold));
      if (at !== null) found.allowed = meta.channels.filter((channel) => channel.source === actor);
      return later(found);
    },
    yaml: (world) => later(`# edits of ${meta.scenario}\n${JSON.stringify({ set: world.set, on: world.on, off: world.off })}\n`),
    parse(text) {
      try {
        return later(JSON.parse(text.split("\n").slice(1).join("\n")));
      } catch {
        return Promise.reject(new Error("it is no scenario file"));
      }
    },
    cancel() {},
  });
}

// Who stands to whom, and who acts on whom now? Actors on a ring, or on a map where all have coordinates.
// In: actors, ties, the act of the moment. Out: a drawing with a description in words.

const RING = { width: 580, height: 400 };

class Network {
  constructor(meta) {
    this.meta = meta;
    this.svg = s("svg", { class: "network", viewBox: `0 0 ${RING.width} ${RING.height}`, role: "img", "aria-label": "The actors and their ties" });
    this.spots = spotsOf(meta.actors);
    this.ties = new Map();
    const ties = meta.ties.map((tie) => {
      const [from, to] = [this.spots.get(tie.from), this.spots.get(tie.to)];
      if (!from || !to) return null;
      const line = s("path", { class: `tie ${words(tie.kind, 20)}`, d: bow(from, to, 0.12) }, s("title", { text: words(tie.title || tie.kind) }));
      this.ties.set(tie.id, line);
      return line;
    });
    this.arrow = s("path", { class: "act-arrow", d: "", "marker-end": "url(#arrow-head)" });
    this.nodes = new Map();
    const size = meta.actors.length > 20 ? 6 : 10;
    const nodes = meta.actors.map((actor) => {
      const spot = this.spots.get(actor.id);
      const node = s("circle", { class: "node", cx: spot.x, cy: spot.y, r: size });
      this.nodes.set(actor.id, node);
      const label = s("text", { class: `node-name ${spot.anchor}`, x: spot.x + spot.dx, y: spot.y + spot.dy,
        text: short(actor.title, meta.actors.length > 20 ? 12 : 19) }, s("title", { text: words(actor.title, 300) }));
      return s("g", {}, node, label);
    });
    put(this.svg, s("defs", {}, s("marker", { id: "arrow-head", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 5, markerHeight: 5,
      orient: "auto" }, s("path", { class: "arrow-head", d: "M0 0L8 4L0 8Z" }))), ...ties.filter(Boolean), this.arrow, ...nodes);
  }

  /** event: the act of the moment or null; held: the ids of the ties that hold. */
  show(event, held, player) {
    for (const [id, line] of this.ties) line.classList.toggle("absent", !held.has(id));
    for (const [id, node] of this.nodes) {
      node.classList.toggle("acting", event?.source === id);
      node.classList.toggle("acted-on", event?.target === id);
      node.classList.toggle("played", player === id);
    }
    const tone = event ? this.meta.acts.find((act) => act.id === event.act)?.class ?? "neutral" : "";
    this.arrow.setAttribute("class", `act-arrow ${tone}`);
    const [from, to] = [this.spots.get(event?.source), this.spots.get(event?.target)];
    this.arrow.setAttribute("d", from && to ? bow(from, to, -0.16, 14) : "");
    this.svg.setAttribute("aria-label", event ? `The actors; now ${actSaid(this.meta, event)}` : "The actors and their ties");
  }
}

/** Where each actor stands: {x, y}, and where its name goes. */
function spotsOf(actors) {
  const { width, height } = RING;
  const mapped = actors.length > 1 && actors.every((actor) => Array.isArray(actor.at) && actor.at.every(Number.isFinite));
  if (mapped) return mapSpots(actors);
  return new Map(actors.map((actor, index) => {
    const angle = (index / actors.length) * 2 * Math.PI - Math.PI / 2;
    const [x, y] = [width / 2 + 100 * Math.cos(angle), height / 2 + 150 * Math.sin(angle)];
    const side = Math.cos(angle);
    const anchor = Math.abs(side) < 0.15 ? "middle" : side > 0 ? "start" : "end";
    const dx = anchor === "middle" ? 0 : side > 0 ? 14 : -14;
    const dy = anchor === "middle" ? (Math.sin(angle) < 0 ? -16 : 26) : 4;
    return [actor.id, { x, y, anchor, dx, dy }];
  }));
}

/** [latitude, longitude] onto the drawing, degrees of longitude shrunk as they are there. */
function mapSpots(actors) {
  const { width, height } = RING;
  const shrink = Math.cos((meanOf(actors.map((actor) => actor.at[0])) * Math.PI) / 180) || 1;
  const flat = actors.map((actor) => [actor.at[1] * shrink, -actor.at[0]]);
  const [xs, ys] = [flat.map(([x]) => x), flat.map(([, y]) => y)];
  const span = Math.max((Math.max(...xs) - Math.min(...xs)) / (width - 160), (Math.max(...ys) - Math.min(...ys)) / (height - 70)) || 1;
  const [midX, midY] = [(Math.max(...xs) + Math.min(...xs)) / 2, (Math.max(...ys) + Math.min(...ys)) / 2];
  return new Map(actors.map((actor, index) => [actor.id, { x: width / 2 + (flat[index][0] - midX) / span,
    y: height / 2 + (flat[index][1] - midY) / span, anchor: "middle", dx: 0, dy: 24 }]));
}

/** A bowed line between two spots, cut short by `gap` at both ends. */
function bow(from, to, bend, gap = 0) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy) || 1;
  const [mx, my] = [(from.x + to.x) / 2 - dy * bend, (from.y + to.y) / 2 + dx * bend];
  const short = (end, other) => {
    const [ex, ey] = [mx - end.x, my - end.y];
    const far = Math.hypot(ex, ey) || 1;
    return [end.x + (ex / far) * gap, end.y + (ey / far) * gap, other];
  };
  if (length < 2) return "";
  const [ax, ay] = short(from);
  const [bx, by] = short(to);
  return `M${ax.toFixed(1)} ${ay.toFixed(1)}Q${mx.toFixed(1)} ${my.toFixed(1)} ${bx.toFixed(1)} ${by.toFixed(1)}`;
}

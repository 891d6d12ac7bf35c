// How is something put on the page? Every string from outside becomes text, never markup.
// In: tag names, attributes, children. Out: elements. No attribute that runs anything is ever set.

const SVG = "http://www.w3.org/2000/svg";
const LONGEST_LABEL = 90;
const LEFTWARD = "\\u0590-\\u08ff\\ufb1d-\\ufdff\\ufe70-\\ufefc\\u{10800}-\\u{10fff}\\u{1e800}-\\u{1efff}";
const LEFTWARD_RUN = new RegExp(`[${LEFTWARD}](?:(?:[^\\p{L}\\p{N}${LEFTWARD}]|[0-9])*[${LEFTWARD}])*`, "gu");
const BEFORE_UNIT = /(?<=[\d\]]) (?=[%\u2030\u00d7]|(?:days?|hours?|weeks?|months?|years?|minutes?|seconds?|points?|nats)\b)/g;
const AS_IT_IS = ["pre", "code", "option", "textarea", "script", "style"];

/** A text as `powderkeg.wording` settles it: numbers keep their units, names from right to left turn nothing round. */
function settled(text) {
  return String(text).replace(/[\u202a-\u202e\u2066-\u2069]/g, "").replace(LEFTWARD_RUN, "\u2068$&\u2069").replace(BEFORE_UNIT, "\u00a0");
}

/** An element. `given`: attributes; `on`: {event: listener}; `text`: its text. Children: elements or strings. */
function h(tag, given = {}, ...children) {
  return filled(document.createElement(tag), given, children);
}

function s(tag, given = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), given, children);
}

function filled(element, given, children) {
  const said = AS_IT_IS.includes(element.localName) ? String : settled;
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "text") element.textContent = said(value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  const kept = children.filter((child) => child !== null && child !== undefined && child !== false);
  element.append(...kept.map((child) => child instanceof Node ? child : said(child)));
  return element;
}

/** A string from outside on one line: no control characters, no longer than a label bears. */
function words(text, longest = LONGEST_LABEL) {
  const line = String(text ?? "").replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
  const letters = Array.from(line);
  return letters.length <= longest ? line : `${letters.slice(0, longest - 1).join("")}\u2026`;
}

/** A string from outside, which may run from right to left, kept from turning its neighbours round. */
function name(text, longest = LONGEST_LABEL) {
  const short = words(text, longest);
  const full = words(text, 2000);
  return h("bdi", { text: short, title: full === short ? null : full });
}

/** A title short enough for a label: "Serbs of the north: crowds, local leaders" is "Serbs of the north". */
function short(text, longest = 30) {
  const line = words(text, 2000);
  const cut = line.length > longest ? line.search(/[:;,(]/) : -1;
  return words(cut > 2 ? line.slice(0, cut) : line, longest);
}

/** The short title, with the whole one to be pointed at. */
function shortName(text, longest) {
  const full = words(text, 2000);
  const told = short(text, longest);
  return h("bdi", { text: told, title: told === full ? null : full });
}

/** Put children in place of what is there, unless that is what is there. */
function put(element, ...children) {
  element.replaceChildren(...children.filter((child) => child !== null && child !== undefined && child !== false));
}

/** Set a text only where it changes: screen readers and the browser's layout are spared the rest. */
function setText(element, text) {
  const said = settled(text);
  if (element.textContent !== said) element.textContent = said;
}

const seen = new ResizeObserver((entries) => {
  for (const { target } of entries) target.tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
});

/** A place that may be wider than the screen: where it is, the keyboard scrolls it too. */
function wide(label, ...children) {
  const place = h("div", { class: "wide", role: "group", "aria-label": words(label) }, ...children);
  seen.observe(place);
  return place;
}

function button(text, act, given = {}) {
  return h("button", { type: "button", text, ...given, on: { click: act } });
}

let told = 0;
/** Say something to those who listen rather than look. */
function announce(text) {
  clearTimeout(told);
  told = setTimeout(() => setText(document.getElementById("announced"), text), 400);
}

/** Hand a file to the reader. */
function download(file, text, type) {
  const address = URL.createObjectURL(text instanceof Blob ? text : new Blob([text], { type }));
  const link = h("a", { href: address, download: file });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** A name that may be a file's. */
function fileName(...parts) {
  return parts.map((part) => words(part, 40).replace(/[^\p{L}\p{N}_-]+/gu, "-")).join("-");
}

const MARKED = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity", "fill-opacity",
  "font-family", "font-size", "font-weight", "text-anchor", "dominant-baseline"];

/** A drawing of the page as SVG text that stands alone: what the style sheet says is written into it. */
function standalone(svg) {
  const copy = svg.cloneNode(true);
  const [from, to] = [[svg, ...svg.querySelectorAll("*")], [copy, ...copy.querySelectorAll("*")]];
  from.forEach((element, index) => {
    const style = getComputedStyle(element);
    for (const mark of MARKED) {
      const value = style.getPropertyValue(mark);
      if (value) to[index].setAttribute(mark, value);
    }
    to[index].removeAttribute("class");
  });
  const box = svg.viewBox.baseVal;
  copy.setAttribute("xmlns", SVG);
  copy.setAttribute("width", box.width);
  copy.setAttribute("height", box.height);
  const paper = getComputedStyle(document.documentElement).backgroundColor;
  copy.prepend(s("rect", { x: box.x, y: box.y, width: box.width, height: box.height, fill: paper }));
  return new XMLSerializer().serializeToString(copy);
}

/** The same as a PNG, twice as fine as the screen. */
async function pictured(svg) {
  const address = URL.createObjectURL(new Blob([standalone(svg)], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const box = svg.viewBox.baseVal;
    const canvas = h("canvas", { width: Math.round(box.width * 2), height: Math.round(box.height * 2) });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((done) => canvas.toBlob(done, "image/png"));
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** Two buttons that save a drawing; `drawing` gives the one that is there when they are pressed. */
function exporters(drawing, ...nameParts) {
  return h("span", { class: "export" },
    button("Save SVG", () => drawing() && download(`${fileName(...nameParts)}.svg`, standalone(drawing()), "image/svg+xml"),
      { "aria-label": `Save the figure ${nameParts.at(-1)} as SVG` }),
    button("Save PNG", async () => drawing() && download(`${fileName(...nameParts)}.png`, await pictured(drawing())),
      { "aria-label": `Save the figure ${nameParts.at(-1)} as PNG` }));
}

// What every page shares: finding and making elements, asking the server, telling the user, colours, sharp canvases.

export const $ = (selector, within = document) => within.querySelector(selector);
export const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

/** An element: make("button", {class: "quiet", onclick: f}, "text", child, …). */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** The answer of the server as JSON. Throws an Error with the server's own words. */
export async function ask(address, body, { method = body === undefined ? "GET" : "POST", type = "application/json", signal } = {}) {
  const raw = body === undefined || typeof body === "string" || body instanceof Blob ? body : JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(address, { method, body: raw, signal, headers: raw === undefined ? {} : { "content-type": type } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is `pipeline app` still running?");
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.error ?? `The server answered ${answer.status}.`);
  return told;
}

/** A websocket of this server: connect("/playground/train"). */
export function connect(address) {
  const socket = new WebSocket(`ws://${location.host}${address}`);
  socket.binaryType = "arraybuffer";
  return socket;
}

let hiding;
/** A few words at the lower edge; errors stay until the next notice or a click. */
export function notice(words, { error = false } = {}) {
  const place = $("#notice");
  clearTimeout(hiding);
  place.textContent = words;
  place.classList.toggle("error", error);
  place.hidden = !words;
  place.onclick = () => { place.hidden = true; };
  if (!error) hiding = setTimeout(() => { place.hidden = true; }, 4000);
}

/** Saves text or bytes as a file of the user's. */
export function save(name, content, type = "text/plain") {
  const link = make("a", { href: URL.createObjectURL(new Blob([content], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** `f`, called at most once a frame, with the last arguments. */
export function oncePerFrame(f) {
  let waiting = null;
  return (...given) => {
    if (!waiting) requestAnimationFrame(() => { const last = waiting; waiting = null; f(...last); });
    waiting = given;
  };
}

/** `f`, called when no call came for `ms`. */
export function debounce(f, ms) {
  let timer;
  return (...given) => { clearTimeout(timer); timer = setTimeout(() => f(...given), ms); };
}

const variables = new Map();
/** The value of a CSS variable, such as colour("--blue"); asked of the browser once a theme. */
export function colour(name) {
  if (!variables.has(name)) variables.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return variables.get(name);
}

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
let table = null;
/** 256 x RGBA from orange (0) over neutral (128) to blue (255), as the theme has them. */
export function palette() {
  if (table) return table;
  const [low, middle, high] = ["--orange", "--neutral", "--blue"].map((name) => channels(colour(name)));
  table = new Uint8ClampedArray(1024);
  for (let code = 0; code < 256; code++) {
    const share = (code - 128) / 128;
    const end = share < 0 ? low : high;
    for (let c = 0; c < 3; c++) table[4 * code + c] = middle[c] + (end[c] - middle[c]) * Math.abs(share);
    table[4 * code + 3] = 255;
  }
  return table;
}
/** CSS colour of a value in [-1, 1]: orange, neutral, blue. */
export function diverging(value) {
  const at = 4 * Math.round(128 + 127 * Math.max(-1, Math.min(1, value)));
  const [r, g, b] = palette().subarray(at, at + 3);
  return `rgb(${r} ${g} ${b})`;
}

/** Black or white, whichever is read more easily on a CSS colour such as diverging() gives (WCAG's relative luminance). */
export function inkOn(background) {
  const [r, g, b] = background.match(/\d+/g).map((channel) => (channel / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#000" : "#fff";
}

/** The 2-D context of a canvas whose pixels are the screen's; draw in CSS pixels: {context, width, height}. */
export function sharp(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const scale = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

$("nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

const dark = matchMedia("(prefers-color-scheme: dark)");
const changed = () => { table = null; variables.clear(); document.dispatchEvent(new Event("themechange")); };
dark.addEventListener("change", changed);
$("#theme").addEventListener("click", () => {
  const now = document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try { localStorage.setItem("theme", next); } catch { /* not remembered, then */ }
  changed();
});

// Shared by all pages: elements, requests, notices, colours, canvases.

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

/** The JSON of a response. Throws an Error with the server's error text. */
export async function request(address, body, { method = body === undefined ? "GET" : "POST", type = "application/json", signal } = {}) {
  const raw = body === undefined || typeof body === "string" || body instanceof Blob ? body : JSON.stringify(body);
  let response;
  try {
    response = await fetch(address, { method, body: raw, signal, headers: raw === undefined ? {} : { "content-type": type } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not respond. Check that `pipeline app` is still running.");
  }
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(content.error ?? `The server returned status ${response.status}. Reload the page and try again.`);
  return content;
}

/** A websocket of this server: connect("/playground/train"). */
export function connect(address) {
  const socket = new WebSocket(`ws://${location.host}${address}`);
  socket.binaryType = "arraybuffer";
  return socket;
}

let hideTimer, noticeSource = "";
/** Text at the lower edge. Errors stay until the next notice, a click, or clearNotice(source) once their cause is gone. */
export function notice(text, { error = false, source = "" } = {}) {
  const box = $("#notice");
  clearTimeout(hideTimer);
  noticeSource = source;
  box.textContent = text;
  box.classList.toggle("error", error);
  box.hidden = !text;
  box.onclick = () => { box.hidden = true; };
  if (!error) hideTimer = setTimeout(() => { box.hidden = true; }, 4000);
}
/** Hide the notice of a source, such as a request that failed before and has succeeded now. */
export function clearNotice(source) {
  if (source && noticeSource === source) $("#notice").hidden = true;
}

/** Download text or bytes as a file. */
export function save(name, content, type = "text/plain") {
  const link = make("a", { href: URL.createObjectURL(new Blob([content], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** `f` called at most once a frame, with the last arguments. */
export function oncePerFrame(f) {
  let pending = null;
  return (...values) => {
    if (!pending) requestAnimationFrame(() => { const last = pending; pending = null; f(...last); });
    pending = values;
  };
}

/** `f` called `ms` after the last call. */
export function debounce(f, ms) {
  let timer;
  return (...values) => { clearTimeout(timer); timer = setTimeout(() => f(...values), ms); };
}

const variables = new Map();
/** The value of a CSS variable, such as colour("--blue"), cached until the theme changes. */
export function colour(name) {
  if (!variables.has(name)) variables.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return variables.get(name);
}

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
let table = null;
/** 256 x RGBA from orange (0) over neutral (128) to blue (255), in the colours of the theme. */
export function palette() {
  if (table) return table;
  const [low, middle, high] = ["--orange", "--neutral", "--blue"].map((name) => channels(colour(name)));
  table = new Uint8ClampedArray(1024);
  for (let code = 0; code < 256; code++) {
    const fraction = (code - 128) / 128;
    const end = fraction < 0 ? low : high;
    for (let c = 0; c < 3; c++) table[4 * code + c] = middle[c] + (end[c] - middle[c]) * Math.abs(fraction);
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

/** Black or white: the one with more contrast on a CSS colour of diverging() (WCAG's relative luminance). */
export function inkOn(background) {
  const [r, g, b] = background.match(/\d+/g).map((channel) => (channel / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#000" : "#fff";
}

/** The cleared 2-D context of a canvas at the screen's resolution, and its size in CSS pixels. */
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

// Not with scrollIntoView: Chromium's next Tab would start behind the link, and skip “Skip to the content”.
const link = $(".bar [aria-current]");
if (link) link.parentElement.scrollLeft = link.offsetLeft - (link.parentElement.clientWidth - link.clientWidth) / 2;

const dark = matchMedia("(prefers-color-scheme: dark)");
const themeChanged = () => { table = null; variables.clear(); document.dispatchEvent(new Event("themechange")); };
dark.addEventListener("change", themeChanged);
$("#theme").addEventListener("click", () => {
  const current = document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
  const next = current === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try { localStorage.setItem("theme", next); } catch { /* storage is forbidden: the theme lasts until the page is closed */ }
  themeChanged();
});

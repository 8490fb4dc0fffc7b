// The whole state of the page, and its form in the URL: a link reproduces a run.

export const FEATURES = ["x1", "x2", "x1²", "x2²", "x1x2", "sin x1", "sin x2"];
export const FUNCTIONS = [(x) => x, (x, y) => y, (x) => x * x, (x, y) => y * y, (x, y) => x * y, (x) => Math.sin(x), (x, y) => Math.sin(y)];
export const PROBLEMS = { classification: ["circle", "xor", "gauss", "spiral"], regression: ["plane", "multi-gauss"] };
export const LIVE = ["lr", "batch", "regularization", "rate"]; // may change while the net learns

const DEFAULTS = {
  problem: "circle", seed: 0, ratio: 50, noise: 0, batch: 10, lr: 0.03, regularization: "none", rate: 0, features: ["x1", "x2"],
  layers: [{ units: 4, activation: "tanh" }, { units: 2, activation: "tanh" }], dropout: 0, optimizer: "sgd", loss: "squared", rule: "gradient",
};
const VIEW = { activation: "tanh", stop: 0, speed: "normal", test: false, discretize: false, epoch: 0, running: false, kind: "classification", hide: "" };

export const settings = structuredClone(DEFAULTS);
export const view = { ...VIEW };
/** Live changes since the reset, each with its epoch: the run is repeated with them. */
export let changes = [];
export let points = []; // of one's own, in the order of the file
export const setPoints = (own) => { points = own; };
export const remember = (change) => { changes = [...changes, change].slice(-200); };
export const forget = () => { changes = []; };
/** Live settings as they were at epoch 0. */
export let start = {};
export const begin = () => { start = Object.fromEntries(LIVE.map((key) => [key, settings[key]])); forget(); };

export function write() {
  const parameters = new URLSearchParams();
  for (const key of Object.keys(DEFAULTS)) {
    const value = key in start ? start[key] : settings[key];
    if (JSON.stringify(value) === JSON.stringify(DEFAULTS[key])) continue;
    if (key === "features") parameters.set(key, value.map((name) => FEATURES.indexOf(name)).join("."));
    else if (key === "layers") parameters.set(key, value.map((layer) => `${layer.units}-${layer.activation}`).join(".") || "none");
    else parameters.set(key, value);
  }
  for (const key of Object.keys(VIEW)) if (view[key] !== VIEW[key]) parameters.set(key, view[key]);
  if (changes.length) parameters.set("then", changes.map(pack).join("~"));
  history.replaceState(null, "", `#${parameters}`);
}

export function read() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  Object.assign(settings, structuredClone(DEFAULTS));
  Object.assign(view, VIEW);
  for (const [key, value] of parameters) {
    if (key === "features") settings.features = value.split(".").map((at) => FEATURES[at]).filter(Boolean);
    else if (key === "layers") settings.layers = value === "none" ? [] : value.split(".").slice(0, 6).map(layer);
    else if (key in DEFAULTS) settings[key] = typeof DEFAULTS[key] === "number" ? number(value, DEFAULTS[key]) : value;
    else if (key in VIEW) view[key] = typeof VIEW[key] === "boolean" ? value === "true" : typeof VIEW[key] === "number" ? number(value, 0) : value;
  }
  begin();
  changes = (parameters.get("then") ?? "").split("~").filter(Boolean).map(unpack).filter(Boolean).slice(0, 200);
  for (const change of changes) for (const key of LIVE) if (key in change) settings[key] = change[key];
}

const number = (text, otherwise) => (Number.isFinite(Number(text)) ? Number(text) : otherwise);
const layer = (text) => { const [units, activation] = text.split("-"); return { units: Math.max(1, Math.min(16, number(units, 4))), activation: activation ?? "tanh" }; };

function pack(change) {
  const [key] = Object.keys(change).filter((name) => name !== "epoch");
  const value = key === "weight" ? Object.values(change.weight).join("_") : change[key];
  return `${change.epoch}:${key}:${value}`;
}
function unpack(text) {
  const [epoch, key, value] = text.split(":");
  if (key === "weight") {
    const [layer, unit, source, set] = value.split("_").map(Number);
    return { epoch: Number(epoch), weight: { layer, unit, source, value: set } };
  }
  if (!LIVE.includes(key)) return null;
  return { epoch: Number(epoch), [key]: key === "regularization" ? value : Number(value) };
}

/** What the server is told to begin with: as at epoch 0, and what came after. */
export const message = () => ({ settings: { ...settings, ...start, points: settings.problem === "own" ? points : [] }, changes });

const KEPT = "playground-points";
export function keepPoints() { try { sessionStorage.setItem(KEPT, JSON.stringify(points)); } catch { /* too large: not kept */ } }
export function recallPoints() { try { points = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]"); } catch { points = []; } }

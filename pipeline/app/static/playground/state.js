// The state of the page, and its encoding in the URL: a link reproduces a run.

export const FEATURES = ["x1", "x2", "x1²", "x2²", "x1x2", "sin x1", "sin x2"];
export const FUNCTIONS = [(x) => x, (x, y) => y, (x) => x * x, (x, y) => y * y, (x, y) => x * y, (x) => Math.sin(x), (x, y) => Math.sin(y)];
export const PROBLEMS = { classification: ["circle", "xor", "gauss", "spiral"], regression: ["plane", "multi-gauss"] };
export const LIVE = ["lr", "batch", "regularization", "rate"]; // may change during training

const DEFAULTS = {
  problem: "circle", seed: 0, initialization: 0, ratio: 50, noise: 0, batch: 10, lr: 0.03, regularization: "none", rate: 0, features: ["x1", "x2"],
  layers: [{ units: 4, activation: "tanh" }, { units: 2, activation: "tanh" }], dropout: 0, optimizer: "sgd", loss: "squared", rule: "gradient",
  init_zero: false,
};
const VIEW = { activation: "tanh", stop: 0, speed: "normal", test: false, discretize: false, epoch: 0, running: false, kind: "classification", hide: "", lesson: "" };

export const settings = structuredClone(DEFAULTS);
export const view = { ...VIEW };
/** Changes during training since epoch 0, each with its epoch: a link repeats them. */
export let changes = [];
export let points = []; // of the user's CSV file, in its order
export const setPoints = (own) => { points = own; };
export const remember = (change) => { changes = [...changes, change].slice(-200); };
/** The live settings at epoch 0. */
export let start = {};
/** Start at epoch 0 with the current settings and, of the changes, these. */
export const begin = (kept = []) => { start = Object.fromEntries(LIVE.map((key) => [key, settings[key]])); changes = kept; };

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

const CHOICES = {
  problem: [...PROBLEMS.classification, ...PROBLEMS.regression, "own"], regularization: ["none", "l1", "l2"], optimizer: ["sgd", "momentum", "rmsprop", "adam"],
  loss: ["squared", "cross_entropy", "hinge", "absolute"], rule: ["gradient", "rosenblatt"], kind: ["classification", "regression"], speed: ["slow", "normal", "fast"],
};
const RANGES = {
  seed: [0, 4294967295, 1], initialization: [0, 4294967295, 1], ratio: [10, 90, 1], noise: [0, 50, 1], batch: [1, 30, 1], lr: [1e-5, 10], rate: [0, 10], dropout: [0, 0.9],
  stop: [0, 1e7, 1], epoch: [0, 1e7, 1],
};

/** Read the URL's hash. Invalid values are replaced by the defaults; their descriptions are returned. */
export function read(activations) {
  const parameters = new URLSearchParams(location.hash.slice(1)), invalid = [];
  Object.assign(settings, structuredClone(DEFAULTS));
  Object.assign(view, VIEW);
  for (const [key, text] of parameters) {
    const group = Object.hasOwn(DEFAULTS, key) ? settings : Object.hasOwn(VIEW, key) ? view : null, value = group && parse(key, text, activations);
    if (value !== null) group[key] = value;
    else if (key !== "then") invalid.push(`${key}=${text.slice(0, 30)}`);
  }
  if (settings.problem !== "own") view.kind = PROBLEMS.regression.includes(settings.problem) ? "regression" : "classification";
  if (view.kind === "regression" && (settings.rule === "rosenblatt" || ["cross_entropy", "hinge"].includes(settings.loss))) { settings.rule = "gradient"; settings.loss = "squared"; }
  begin();
  const texts = (parameters.get("then") ?? "").split("~").filter(Boolean);
  changes = texts.map(unpack).filter(Boolean).slice(0, 200);
  if (changes.length < texts.length) invalid.push("then");
  for (const change of changes) for (const key of LIVE) if (key in change) settings[key] = change[key];
  return invalid;
}

/** The value of a parameter; null if it is invalid. */
function parse(key, text, activations) {
  if (key === "features") return unique(text.split(".").map((at) => FEATURES[at]));
  if (key === "layers") return text === "none" ? [] : layers(text.split("."), activations);
  if (key in CHOICES) return CHOICES[key].includes(text) ? text : null;
  if (key in RANGES) return inRange(key, text);
  if (key === "activation") return activations.includes(text) ? text : null;
  return typeof { ...DEFAULTS, ...VIEW }[key] === "boolean" ? text === "true" : text;
}
const unique = (names) => (names.length && names.every((name) => FEATURES.includes(name)) && new Set(names).size === names.length ? names : null);
function inRange(key, text) {
  const [low, high, whole] = RANGES[key], value = text.trim() === "" ? NaN : Number(text);
  return value >= low && value <= high && (!whole || Number.isInteger(value)) ? value : null;
}
function layers(texts, activations) {
  const found = texts.map((text) => { const [units, activation = "tanh"] = text.split("-"); return { units: Number(units), activation }; });
  const valid = found.length <= 6 && found.every(({ units, activation }) => Number.isInteger(units) && units >= 1 && units <= 16 && activations.includes(activation));
  return valid ? found : null;
}

function pack(change) {
  const [key] = Object.keys(change).filter((name) => name !== "epoch");
  const value = key === "weight" ? Object.values(change.weight).join("_") : change[key];
  return `${change.epoch}:${key}:${value}`;
}
/** A change from the URL; null if it is invalid. */
function unpack(text) {
  const [epochText, key, value = ""] = text.split(":"), epoch = inRange("epoch", epochText);
  if (epoch === null) return null;
  if (key === "weight") {
    const numbers = value.split("_").map(Number), [layer, unit, source, weight] = numbers;
    const valid = numbers.length === 4 && numbers.every(Number.isFinite) && layer >= 0 && layer <= 6 && unit >= 0 && unit <= 15 && source >= 0 && source <= 16 && Math.abs(weight) <= 1e6;
    return valid ? { epoch, weight: { layer, unit, source, value: weight } } : null;
  }
  if (!LIVE.includes(key)) return null;
  const parsed = parse(key, value, []);
  return parsed === null ? null : { epoch, [key]: parsed };
}

/** The message that restarts training: the settings at epoch 0, and the changes to repeat. */
export const message = () => ({ settings: { ...settings, ...start, points: settings.problem === "own" ? points : [] }, changes });

const STORED = "playground-points";
export function storePoints() { try { sessionStorage.setItem(STORED, JSON.stringify(points)); } catch { /* too large for the storage: a reload loses them */ } }
export function recallPoints() { try { points = JSON.parse(sessionStorage.getItem(STORED) ?? "[]"); } catch { points = []; } }

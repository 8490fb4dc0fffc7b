// The controls around the picture: they show the state and change it.

import { $, clearNotice, make, notice, request } from "../lib.js";
import { dots, heat } from "./maps.js";
import { showLesson } from "./lessons.js";
import * as state from "./state.js";

const { settings, view } = state;
const LR = [1e-5, 1e-4, 1e-3, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const RATES = [0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const DROPOUT = [0, 0.1, 0.2, 0.3, 0.5];
const TITLES = { circle: "Circle", xor: "XOR", gauss: "Gaussian", spiral: "Spiral", plane: "Plane", "multi-gauss": "Multi Gaussian" };

/** Controls that a link can hide, for lessons. */
const PARTS = {
  "run": "#run", "step": "#step", "reset": "#reset", "learning rate": "label:has(#lr)", "activation": "label:has(#activation)", "regularization": "label:has(#regularization)",
  "regularization rate": "label:has(#rate)", "problem type": "label:has(#kind)", "data set": "#problems", "own data": "#own", "ratio": "label:has(#ratio)", "noise": "label:has(#noise)",
  "batch size": "label:has(#batch)", "regenerate": "#regenerate", "layers": ".layers-head", "show test data": "label:has(#test)", "discretize": "label:has(#discretize)",
};

const fill = (selector, values) => $(selector).replaceChildren(...values.map((value) => make("option", { value }, String(value))));

/** Select a value; one that is not among the options (from a link) is added. */
function choose(selector, value) {
  const select = $(selector);
  if (![...select.options].some((option) => option.value === String(value))) select.append(make("option", { value }, String(value)));
  select.value = String(value);
}

export function showControls() {
  for (const key of ["lr", "regularization", "rate", "rule", "optimizer", "loss", "dropout"]) choose(`#${key}`, settings[key]);
  for (const key of ["activation", "kind", "speed"]) choose(`#${key}`, view[key]);
  for (const key of ["ratio", "noise", "batch", "seed", "initialization"]) $(`#${key}`).value = settings[key];
  $("#stop").value = view.stop;
  $("#init_zero").checked = settings.init_zero;
  $("#test").checked = view.test;
  $("#discretize").checked = view.discretize;
  $("#ratio-value").textContent = `${settings.ratio} %`;
  $("#noise-value").textContent = settings.noise;
  $("#batch-value").textContent = settings.batch;
  const count = settings.layers.length;
  $("#layer-count").textContent = `${count} hidden layer${count === 1 ? "" : "s"}`;
  $("#more-layers").disabled = count >= 6;
  $("#fewer-layers").disabled = count === 0;
  $("#rate").disabled = settings.regularization === "none";
  for (const choice of $("#loss").options) choice.disabled = view.kind === "regression" && ["cross_entropy", "hinge"].includes(choice.value);
  $("#rule").options[1].disabled = view.kind === "regression";
  const hidden = view.hide.split(".");
  for (const [part, selector] of Object.entries(PARTS)) {
    $(selector).hidden = hidden.includes(part);
    $(`[data-part="${part}"]`).checked = !hidden.includes(part);
  }
  showLesson();
  showProblems();
}

/** A thumbnail of each problem. */
function showProblems() {
  const box = $("#problems");
  const names = state.PROBLEMS[view.kind];
  if (box.dataset.kind !== view.kind) {
    box.dataset.kind = view.kind;
    box.replaceChildren(...names.map((name) => make("button", { type: "button", id: `problem-${name}`, title: TITLES[name], "aria-label": TITLES[name] }, make("canvas"))));
  }
  for (const name of names) {
    const button = $(`#problem-${name}`);
    button.setAttribute("aria-pressed", settings.problem === name);
    const { context, width, height } = heat(button.firstChild, new Uint8Array(1).fill(128), 1);
    const points = thumbnail(name);
    dots(context, width, height, points, points.length, false, 1.6);
  }
  $("#own").setAttribute("aria-pressed", settings.problem === "own");
}

function thumbnail(name) {
  const points = [];
  for (let at = 0; at < 110; at++) {
    // A low-discrepancy sequence (R2, Roberts 2018) fills the square evenly.
    const a = (at * 0.754877666) % 1, b = (at * 0.569840291) % 1, x = a * 11 - 5.5, y = b * 11 - 5.5;
    if (name === "circle") { const r = at % 2 ? a * 2.4 : 3.8 + a * 1.6, w = b * 6.283; points.push([r * Math.sin(w), r * Math.cos(w), at % 2 ? 1 : -1]); }
    else if (name === "xor") points.push([x + Math.sign(x) * 0.3, y + Math.sign(y) * 0.3, x * y >= 0 ? 1 : -1]);
    else if (name === "gauss") { const s = at % 2 ? 1 : -1, r = a * 2.2, w = b * 6.283; points.push([2.6 * s + r * Math.sin(w), 2.6 * s + r * Math.cos(w), s]); }
    else if (name === "spiral") { const i = (at >> 1) / 55, s = at % 2, w = 1.75 * 6.283 * i + s * 3.1416; points.push([5.5 * i * Math.sin(w), 5.5 * i * Math.cos(w), s ? -1 : 1]); }
    else if (name === "plane") points.push([x, y, (x + y) / 10]);
    else {
      const near = [[-4, 2.5, 1], [0, 2.5, -1], [4, 2.5, 1], [-4, -2.5, -1], [0, -2.5, 1], [4, -2.5, -1]].map(([p, q, s]) => s * Math.max(0, 1 - Math.hypot(x - p, y - q) / 2));
      points.push([x, y, near.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0)]);
    }
  }
  return points;
}

/** Data set, loss and learning rule of each problem type, so that switching the type and back loses none of them. */
const chosen = { classification: { problem: "circle", loss: "squared", rule: "gradient" }, regression: { problem: "plane", loss: "squared", rule: "gradient" } };
function switchKind(kind) {
  const { problem, loss, rule } = settings;
  chosen[view.kind] = { problem, loss, rule };
  view.kind = kind;
  Object.assign(settings, chosen[kind]);
}

/** `act`: {rebuild, reset, repeat, live, activations, send, draw}. */
export function bindControls(act) {
  fill("#lr", LR); fill("#rate", RATES); fill("#dropout", DROPOUT); fill("#activation", act.activations);
  $("#parts").append(...Object.keys(PARTS).map((part) => make("label", { class: "check" }, make("input", { type: "checkbox", "data-part": part, onchange: ({ target }) => {
    view.hide = [...view.hide.split(".").filter((name) => name && name !== part), ...(target.checked ? [] : [part])].join(".");
    showControls();
    state.write();
  } }), part)));
  const on = (selector, event, f) => $(selector).addEventListener(event, () => { f($(selector)); showControls(); });
  const set = (key, convert = Number) => on(`#${key}`, "change", ({ value }) => { settings[key] = convert(value); act.rebuild(); });
  const live = (key, convert = Number) => on(`#${key}`, "change", ({ value }) => { settings[key] = convert(value); act.live({ [key]: settings[key] }); });
  live("lr"); live("batch"); live("rate"); live("regularization", String);
  set("ratio"); set("noise"); set("dropout"); set("optimizer", String); set("loss", String); set("rule", String);
  for (const key of ["ratio", "noise", "batch"]) $(`#${key}`).addEventListener("input", (event) => { $(`#${key}-value`).textContent = event.target.value + (key === "ratio" ? " %" : ""); });
  on("#seed", "change", ({ value }) => { settings.seed = Math.max(0, Math.min(4294967295, Math.floor(Number(value)))); act.rebuild(); });
  on("#regenerate", "click", () => { settings.seed = Math.floor(Math.random() * 1e6); act.rebuild(); });
  on("#activation", "change", ({ value }) => { view.activation = value; for (const layer of settings.layers) layer.activation = value; act.rebuild(); });
  on("#initialization", "change", ({ value }) => { settings.initialization = Math.max(0, Math.min(4294967295, Math.floor(Number(value)))); act.rebuild(); });
  on("#init_zero", "change", ({ checked }) => { settings.init_zero = checked; act.rebuild(); });
  on("#kind", "change", ({ value }) => { switchKind(value); act.rebuild(); });
  $("#problems").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) { settings.problem = button.id.replace("problem-", ""); act.rebuild(); showControls(); }
  });
  on("#more-layers", "click", () => { if (settings.layers.length < 6) settings.layers.push({ units: 2, activation: view.activation }); act.rebuild(); });
  on("#fewer-layers", "click", () => { settings.layers.pop(); act.rebuild(); });
  on("#stop", "change", ({ value }) => { view.stop = Math.max(0, Math.floor(Number(value))); act.send({ stop: view.stop }); state.write(); });
  on("#speed", "change", ({ value }) => { view.speed = value; act.send({ speed: value }); state.write(); });
  for (const key of ["test", "discretize"]) on(`#${key}`, "change", ({ checked }) => { view[key] = checked; act.draw(); state.write(); });
  $("#own").addEventListener("click", () => $("#file").click());
  $("#file").addEventListener("change", async ({ target }) => {
    const [file] = target.files;
    target.value = "";
    if (!file) return;
    try {
      const { points, summary } = await request("/playground/points", file, { type: "text/csv" });
      const kind = new Set(points.map((point) => point[2])).size === 2 ? "classification" : "regression";
      if (kind !== view.kind) switchKind(kind);
      state.setPoints(points);
      state.storePoints();
      settings.problem = "own";
      clearNotice("file");
      act.rebuild();
      showControls();
      notice(summary);
    } catch (error) { notice(error.message, { error: true, source: "file" }); }
  });
}

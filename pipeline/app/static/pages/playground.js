// The Playground: its controls change the state, the server's frames change the picture.

import { $, $$, notice, oncePerFrame, request, save } from "../lib.js";
import { bindControls, showControls } from "../playground/controls.js";
import { showAll, showUnit, updateDialog } from "../playground/formulas.js";
import { bindLessons } from "../playground/lessons.js";
import { Chart, dots, featureCodes, heat, legend } from "../playground/maps.js";
import { Network, featureName } from "../playground/network.js";
import * as state from "../playground/state.js";
import { bindStarts, closeStarts, drawStarts, showStarts } from "../playground/starts.js";
import { Steps } from "../playground/steps.js";
import { Training } from "../playground/training.js";

const { settings, view } = state;
const SIZE = 100, SMALL = 50;
const family = await request("/playground/activations");
const chart = new Chart($("#chart"));
let data = { points: [], train: 0, classifies: true }, last = null, running = false, written = 0;

/** Read the link; its invalid parts are reported, and the defaults used. */
function readLink() {
  const invalid = state.read(Object.keys(family));
  if (invalid.length) notice(`This link has invalid parts: ${invalid.join(", ")}. The defaults are used for them.`, { error: true, source: "link" });
}
state.recallPoints();
readLink();

/** For tests and measurements: frames drawn since the page was opened, current epoch, current losses. */
const status = (window.playground = { frames: 0, epoch: 0, loss: null });

/** Whether the link needs a CSV file that this browser does not have. */
const lacksPoints = () => settings.problem === "own" && state.points.length < 4;
const restart = (message = {}) => {
  chart.clear();
  if (lacksPoints()) {
    notice("This link was made with the author’s own CSV file, which a link does not contain. Choose the file with “Your own CSV…”, or another data set.", { error: true, source: "file" });
    return;
  }
  training.send({ ...state.message(), speed: view.speed, stop: Number(view.stop), ...message });
  state.write();
};
/** Restart at epoch 0 with another network or other data; a running training keeps running. */
function rebuild() {
  state.begin();
  view.epoch = 0;
  network.build();
  restart({ run: view.running });
}
/** A change during training; at epoch 0, other than of a weight, a restart with the weights that were set by hand. */
function live(change) {
  if ((status.epoch ?? 0) === 0 && !("weight" in change)) {
    state.begin(state.changes.filter((made) => made.epoch === 0 && "weight" in made));
    restart({ run: view.running });
    return;
  }
  const dated = { epoch: status.epoch, ...change };
  if (training.send({ changes: [dated] })) return; // the server reports the change with its epoch
  state.remember(dated); // repeated with the run once the connection is back
  state.write();
}
const run = (on) => { view.running = on; training.send({ run: on }); showRunning(on); state.write(); };
const step = () => { view.running = false; training.send({ step: true }); };
/** Restart at epoch 0, paused, with the live settings as they are now. */
function restartPaused() {
  const current = state.LIVE.map((key) => settings[key]);
  view.running = false; view.epoch = 0;
  state.begin();
  state.LIVE.forEach((key, at) => { settings[key] = current[at]; });
  showControls();
  restart({ run: false });
}
/** New initial weights for the same points, as TensorFlow's playground does. */
const reset = () => { settings.initialization = Math.floor(Math.random() * 1e6) + 1; restartPaused(); };

const network = new Network({
  activations: () => Object.keys(family),
  feature(feature) {
    const on = settings.features.includes(feature);
    if (on && settings.features.length === 1) { notice("A network needs at least one feature."); return; }
    settings.features = state.FEATURES.filter((name) => (name === feature ? !on : settings.features.includes(name)));
    rebuild();
  },
  units(layer, by) {
    settings.layers[layer].units = Math.max(1, Math.min(16, settings.layers[layer].units + by));
    rebuild();
  },
  activation(layer, name) { settings.layers[layer].activation = name; rebuild(); },
  openUnit(layer, unit) { if (last) showUnit(layer, unit, row(layer, unit), data.classifies, family, (weight) => live({ weight })); },
  inspectFeature(row) { lookedAt = row; $("#showing").textContent = row === null ? "Output" : `Feature ${featureName(state.FEATURES[row])}`; drawOutput(); },
  inspect(layer, unit) { training.send({ inspect: [layer, unit] }); },
  edit({ layer, unit, source, weight }, x, y) {
    const box = $("#edit"), field = $("#edit-value");
    box.hidden = false;
    $("#edit-name").textContent = source === network.widths[layer] ? "Bias" : "Weight";
    box.style.left = `${Math.min(x, innerWidth - 200)}px`;
    box.style.top = `${Math.min(y + 12, innerHeight - 90)}px`;
    field.value = Number(weight.toFixed(4));
    field.onchange = () => { if (field.value !== "") live({ weight: { layer, unit, source, value: Number(field.value) } }); box.hidden = true; };
    field.onkeydown = (event) => {
      if (event.key === "Escape") field.onchange = null; // a blur would commit what was typed
      if (event.key === "Escape" || event.key === "Enter") { field.blur(); box.hidden = true; }
    };
    field.onblur = () => { box.hidden = true; };
    field.focus();
    field.select();
  },
});
const row = (layer, unit) => last.theta.subarray(network.offset(layer, unit), network.offset(layer, unit) + network.widths[layer] + 1);

function showRunning(on) {
  running = on;
  $("#run").textContent = on ? "❚❚" : "▶";
  $("#run").setAttribute("aria-label", on ? "Pause" : "Run");
  $("#run").setAttribute("aria-pressed", on);
}
let lookedAt = null; // row of the feature under the pointer: the output shows its map
let pointLayer = null; // the points, drawn once: drawing hundreds of circles takes too long for every frame
const drawOutput = () => {
  if (!last) return;
  const { context, width, height } = heat($("#output"), lookedAt === null ? last.large : featureCodes(lookedAt, SIZE), SIZE, view.discretize);
  if (!pointLayer) {
    pointLayer = new OffscreenCanvas($("#output").width, $("#output").height);
    const pen = pointLayer.getContext("2d");
    pen.scale(pointLayer.width / width, pointLayer.height / height);
    dots(pen, width, height, data.points, data.train, view.test, data.points.length > 800 ? 2.2 : 3.2);
  }
  context.drawImage(pointLayer, 0, 0, width, height);
};
const redraw = () => { pointLayer = null; drawOutput(); };
const lossText = (loss) => (loss === null || loss === undefined ? "NaN" : loss.toFixed(3));

function frame(header, rest) {
  const count = network.widths.slice(1).reduce((sum, units, at) => sum + units * (network.widths[at] + 1), 0);
  const units = settings.layers.reduce((sum, layer) => sum + layer.units, 0);
  if (rest.byteLength !== 8 * count + SIZE * SIZE + units * SMALL * SMALL) return; // of a network that was replaced
  status.frames++;
  status.epoch = header.epoch;
  last = { theta: new Float64Array(rest, 0, count), large: new Uint8Array(rest, 8 * count, SIZE * SIZE) };
  const maps = Array.from({ length: units }, (_, at) => new Uint8Array(rest, 8 * count + SIZE * SIZE + at * SMALL * SMALL, SMALL * SMALL));
  chart.add(header.losses);
  chart.draw();
  const [depth, unit] = header.inspected;
  if (header.running) network.advance();
  network.show(last.theta, maps, SMALL, depth < 0 ? last.large : null);
  drawOutput();
  // Text last: a change of text forces a new layout before a canvas can be measured.
  if (header.losses.length) {
    const [, train, test] = header.losses.at(-1);
    status.loss = [train, test];
    $("#train-loss").textContent = lossText(train);
    $("#test-loss").textContent = lossText(test);
  }
  $("#epoch").textContent = String(header.epoch).padStart(6, "0").replace(/(\d{3})$/, ",$1");
  if (lookedAt === null) $("#showing").textContent = depth < 0 ? "Output" : `Neuron ${unit + 1} of layer ${depth + 1}`;
  updateDialog(row);
  if (running !== header.running) showRunning(header.running);
  // The URL is written once a second, and when training stops: browsers limit how often it may change.
  view.epoch = header.epoch;
  if (!header.running) view.running = false;
  if (!header.running || performance.now() - written > 1000) { written = performance.now(); state.write(); }
}

const training = new Training({
  open() {
    restart({ replay: Number(view.epoch), run: view.running });
  },
  points(message) { data = message; steps.close(); closeStarts(); redraw(); },
  changed(change) { state.remember(change); state.write(); }, // it has its epoch, so that a link can repeat it
  frame,
  trace: (numbers) => steps.show(numbers),
  starts: showStarts,
  file: save,
});

bindControls({ rebuild, live, activations: Object.keys(family), send: (message) => training.send(message), draw: () => { network.build(); redraw(); } });
const steps = new Steps({ ask: (point) => training.send({ run: false, trace: point }), emphasize: (at, rows) => network.emphasize(at, rows), family, classifies: () => data.classifies });
bindStarts(() => training.send({ starts: true }));
bindLessons();
$("#run").addEventListener("click", () => run(!running));
$("#step").addEventListener("click", step);
$("#reset").addEventListener("click", reset);
$("#repeat").addEventListener("click", restartPaused);
$("#formulas").addEventListener("click", () => {
  if (!last) return;
  const units = network.widths.slice(1).flatMap((count, layer) => Array.from({ length: count }, (_, unit) => [layer, unit]));
  showAll(units, row, data.classifies, family);
});
for (const button of $$("[data-export]")) button.addEventListener("click", () => training.send({ export: button.dataset.export }));
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, button, textarea, dialog, summary") || event.ctrlKey || event.metaKey || event.altKey) return;
  const act = { " ": () => run(!running), s: step, r: reset }[event.key.toLowerCase()];
  if (act) { event.preventDefault(); act(); }
});
const all = oncePerFrame(() => { showControls(); network.build(); legend($("#legend")); drawStarts(); chart.draw(); redraw(); });
document.addEventListener("themechange", all);
addEventListener("resize", all);
addEventListener("hashchange", () => { readLink(); network.build(); all(); restart({ replay: Number(view.epoch), run: view.running }); });
all();

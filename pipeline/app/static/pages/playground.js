// The Playground: what its controls do to the state, and what the server's frames do to the picture.

import { $, $$, ask, notice, oncePerFrame, save } from "../lib.js";
import { bindControls, showControls } from "../playground/controls.js";
import { showAll, showUnit } from "../playground/formulas.js";
import { Chart, dots, heat, legend } from "../playground/maps.js";
import { Network } from "../playground/network.js";
import * as state from "../playground/state.js";
import { Training } from "../playground/training.js";

const { settings, view } = state;
const SIZE = 100, SMALL = 50;
const family = await ask("/playground/activations");
const chart = new Chart($("#chart"));
let known = { points: [], train: 0, classifies: true }, last = null, running = false, shown = 0;

state.recallPoints();
state.read();
view.running = view.running === true;

/** For measurements: frames drawn and epochs run since the page was opened. */
const counted = (window.playground = { frames: 0, epoch: 0, loss: null });

const restart = (message = {}) => {
  chart.clear();
  training.send({ ...state.message(), speed: view.speed, stop: Number(view.stop), ...message });
  state.write();
};
/** Another net or other data: begin at epoch 0, keep on running if it ran. */
function rebuild() {
  state.begin();
  view.epoch = 0;
  network.build();
  restart({ run: view.running });
}
/** A change while the net learns. */
function live(change) {
  if ((counted.epoch ?? 0) === 0 && !("weight" in change)) { state.begin(); restart({ run: view.running }); return; }
  const dated = { epoch: counted.epoch, ...change };
  if (training.send({ changes: [dated] })) return; // what it was is told when it is made
  state.remember(dated); // it is made when the line is back, and the run repeated
  state.write();
}
const run = (on) => { view.running = on; training.send({ run: on }); showRunning(on); state.write(); };
const step = () => { view.running = false; training.send({ step: true }); };
const reset = () => { view.running = false; view.epoch = 0; const now = state.LIVE.map((key) => settings[key]); state.begin(); state.LIVE.forEach((key, at) => { settings[key] = now[at]; }); restart({ run: false }); };

const network = new Network({
  activations: () => Object.keys(family),
  feature(feature) {
    const on = settings.features.includes(feature);
    if (on && settings.features.length === 1) { notice("A net needs at least one feature."); return; }
    settings.features = state.FEATURES.filter((name) => (name === feature ? !on : settings.features.includes(name)));
    rebuild();
  },
  units(layer, by) {
    settings.layers[layer].units = Math.max(1, Math.min(16, settings.layers[layer].units + by));
    rebuild();
  },
  activation(layer, name) { settings.layers[layer].activation = name; rebuild(); },
  inspect(layer, unit) { if (last) showUnit(layer, unit, row(layer, unit), known.classifies, family, (weight) => live({ weight })); },
  look(layer, unit) { training.send({ look: [layer, unit] }); },
  edit({ layer, unit, source, weight }, x, y) {
    const box = $("#edit"), field = $("#edit-value");
    box.hidden = false;
    box.style.left = `${Math.min(x, innerWidth - 200)}px`;
    box.style.top = `${Math.min(y + 12, innerHeight - 90)}px`;
    field.value = Number(weight.toFixed(4));
    field.onchange = () => { if (field.value !== "") live({ weight: { layer, unit, source, value: Number(field.value) } }); box.hidden = true; };
    field.onkeydown = (event) => { if (event.key === "Escape" || event.key === "Enter") { field.blur(); box.hidden = true; } };
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
let layer = null; // the points as they were last drawn: hundreds of circles are too many for every frame
const drawOutput = () => {
  if (!last) return;
  const { context, width, height } = heat($("#output"), last.large, SIZE, view.discretize);
  if (!layer) {
    layer = new OffscreenCanvas($("#output").width, $("#output").height);
    const pen = layer.getContext("2d");
    pen.scale(layer.width / width, layer.height / height);
    dots(pen, width, height, known.points, known.train, view.test, known.points.length > 800 ? 2.2 : 3.2);
  }
  context.drawImage(layer, 0, 0, width, height);
};
const redraw = () => { layer = null; drawOutput(); };
const words = (loss) => (loss === null || loss === undefined ? "NaN" : loss.toFixed(3));

function frame(header, rest) {
  const count = network.widths.slice(1).reduce((sum, units, at) => sum + units * (network.widths[at] + 1), 0);
  const units = settings.layers.reduce((sum, layer) => sum + layer.units, 0);
  if (rest.byteLength !== 8 * count + SIZE * SIZE + units * SMALL * SMALL) return; // of a net that is no more
  counted.frames++;
  counted.epoch = header.epoch;
  last = { theta: new Float64Array(rest, 0, count), large: new Uint8Array(rest, 8 * count, SIZE * SIZE) };
  const maps = Array.from({ length: units }, (_, at) => new Uint8Array(rest, 8 * count + SIZE * SIZE + at * SMALL * SMALL, SMALL * SMALL));
  chart.add(header.losses);
  chart.draw();
  const [depth, unit] = header.look;
  network.show(last.theta, maps, SMALL, depth < 0 ? last.large : null);
  drawOutput();
  // Words last: after they change, the page is laid out anew before a canvas can be measured.
  if (header.losses.length) {
    const [, train, test] = header.losses.at(-1);
    counted.loss = [train, test];
    $("#train-loss").textContent = words(train);
    $("#test-loss").textContent = words(test);
  }
  $("#epoch").textContent = String(header.epoch).padStart(6, "0").replace(/(\d{3})$/, ",$1");
  $("#showing").textContent = depth < 0 ? "Output" : `Neuron ${unit + 1} of layer ${depth + 1}`;
  if (running !== header.running) showRunning(header.running);
  // The address follows now and then, and at once when training stops: browsers limit how often it may change.
  view.epoch = header.epoch;
  if (!header.running) view.running = false;
  if (!header.running || performance.now() - shown > 1000) { shown = performance.now(); state.write(); }
}

const training = new Training({
  open() {
    if (settings.problem === "own" && !state.points.length) { settings.problem = "circle"; notice("This link is about a file of its author's. Choose your own."); }
    restart({ replay: Number(view.epoch), run: view.running });
  },
  points(told) { known = told; redraw(); },
  changed(change) { state.remember(change); state.write(); }, // it says after which epoch, so that a link can repeat it
  frame,
  file: save,
});

bindControls({ rebuild, live, activations: Object.keys(family), send: (message) => training.send(message), draw: () => { network.build(); redraw(); } });
$("#run").addEventListener("click", () => run(!running));
$("#step").addEventListener("click", step);
$("#reset").addEventListener("click", reset);
$("#formulas").addEventListener("click", () => {
  if (!last) return;
  const rows = network.widths.slice(1).flatMap((units, layer) => Array.from({ length: units }, (_, unit) => [layer, unit, row(layer, unit)]));
  showAll(rows, known.classifies, family);
});
for (const button of $$("[data-export]")) button.addEventListener("click", () => training.send({ export: button.dataset.export }));
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, button, textarea, dialog, summary") || event.ctrlKey || event.metaKey || event.altKey) return;
  const act = { " ": () => run(!running), s: step, r: reset }[event.key.toLowerCase()];
  if (act) { event.preventDefault(); act(); }
});
const all = oncePerFrame(() => { showControls(); network.build(); legend($("#legend")); chart.draw(); redraw(); });
document.addEventListener("themechange", all);
addEventListener("resize", all);
addEventListener("hashchange", () => { state.read(); network.build(); all(); restart({ replay: Number(view.epoch), run: view.running }); });
all();

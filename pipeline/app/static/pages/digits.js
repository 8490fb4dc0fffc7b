import { $, debounce, make, notice, request } from "/static/lib.js";
import { Convolution } from "/static/pages/convolution.js";
import { bars, scoreBars, grey, latest, origin, percent, pixels, signed, untrained } from "/static/pages/trained.js";

const pad = $("#pad"), pen = pad.getContext("2d", { willReadFrequently: true });
const SIDE = 140;
const convolution = new Convolution();
let last = null, drawn = false, ready = false, drawing = null, chosen = null, models = [];
const hint = () => make("p", { class: "faint", id: "status" }, ready ? "Draw a digit: three networks classify it." : "Loading the networks: a few seconds. You can draw meanwhile.");
pen.lineWidth = 22; pen.lineCap = pen.lineJoin = "round"; pen.strokeStyle = "#fff";
const wipe = () => { pen.fillStyle = "#000"; pen.fillRect(0, 0, 280, 280); drawn = false; };
wipe();

function line(x, y) {
  pen.beginPath();
  pen.moveTo(...(last ?? [x, y]));
  pen.lineTo(x, y);
  pen.stroke();
  last = [x, y];
  drawn = true;
  soon();
}
const at = (event) => { const box = pad.getBoundingClientRect(); return [(event.clientX - box.left) * 280 / box.width, (event.clientY - box.top) * 280 / box.height]; };
pad.addEventListener("pointerdown", (event) => { pad.setPointerCapture(event.pointerId); last = null; line(...at(event)); });
pad.addEventListener("pointermove", (event) => { if (last && event.buttons) for (const move of event.getCoalescedEvents?.() ?? [event]) line(...at(move)); });
for (const end of ["pointerup", "pointercancel"]) pad.addEventListener(end, () => { last = null; });

// Drawing with the keyboard: arrows move the pen, space lowers and lifts it.
let position = [140, 60], down = false;
pad.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] }[event.key];
  if (event.key === " ") { down = !down; last = null; } else if (step) position = position.map((v, i) => Math.max(10, Math.min(270, v + step[i]))); else return;
  event.preventDefault();
  if (down) line(...position);
});

$("#clear").onclick = () => { wipe(); last = null; models = []; $("#answers").replaceChildren(hint()); convolution.hide(); chosen = null; $("#maps-card").hidden = $("#key").hidden = $("#doubt").hidden = true; pixels([[0]], grey, $("#seen")); };
$("#sample").onclick = () => {
  wipe();
  pen.beginPath(); pen.moveTo(80, 70); pen.lineTo(200, 70); pen.lineTo(120, 230); pen.stroke();
  drawn = true;
  show();
};

const show = latest(async () => {
  if (!drawn) return;
  const small = new OffscreenCanvas(SIDE, SIDE), context = small.getContext("2d");
  context.drawImage(pad, 0, 0, SIDE, SIDE);
  const data = context.getImageData(0, 0, SIDE, SIDE).data;
  if (!$(".answer")) $("#answers").replaceChildren(make("p", { class: "faint", id: "status" }, ready ? "Classifying …" : "Loading the networks: a few seconds …"));
  const sent = { pixels: Array.from({ length: SIDE * SIDE }, (_, i) => data[4 * i]) };
  const reply = await request("/digits/predict", sent);
  if (!drawn) return;
  drawing = sent;
  pixels(reply.input, grey, $("#seen"));
  models = reply.models;
  draw();
  $("#key").hidden = reply.models.every((model) => model.train_command);
  $("#doubt").hidden = !reply.doubtful;
  $("#maps-card").hidden = !reply.maps.length;
  $("#maps").replaceChildren(...reply.maps.map((layer, at) => make("div", { class: "maps" }, ...layer.map((rows, channel) => mapChoice(rows, at, channel)))));
  explain();
});
const soon = debounce(show, 150);
const draw = () => $("#answers").replaceChildren(...models.map((model) => (model.train_command ? untrained(model.title, model) : card(model))));
document.addEventListener("themechange", () => { if (drawn && models.length) draw(); }); // attributions have the theme's colours

const explain = latest(async () => {
  if (!chosen || !drawn) return;
  const { layer, channel } = chosen;
  const steps = await request("/digits/convolution", { ...drawing, layer, channel });
  if (chosen && drawn) convolution.show(steps, `map ${channel + 1} of layer ${layer + 1}`);
});

/** A feature map as a radio button: one Tab stop for all maps, the arrow keys choose. */
function mapChoice(rows, layer, channel) {
  const checked = chosen?.layer === layer && chosen?.channel === channel;
  const choose = () => { chosen = { layer, channel }; convolution.stop(); explain(); };
  return make("label", {}, make("input", { type: "radio", name: "map", checked, "aria-label": `Map ${channel + 1} of layer ${layer + 1}`, onchange: choose }), pixels(rows, grey));
}

function card(model) {
  const largest = Math.max(...model.attribution.flat().map(Math.abs), 0.01);
  const attribution = pixels(model.attribution, signed(largest));
  attribution.classList.add("attribution");
  attribution.setAttribute("aria-label", "Attribution of the prediction");
  return make("article", { class: "card stack answer", "data-experiment": model.experiment, "data-label": model.label },
    make("h2", {}, model.title), make("div", { class: "row" }, make("span", { class: "big" }, model.label), make("span", { class: "number" }, model.scores ? `margin ${model.margin.toFixed(2)}` : percent(model.probability))),
    model.scores ? scoreBars(model.scores) : bars(model.probabilities), make("div", { class: "row" }, attribution, make("small", {}, "attribution")), origin(model));
}

// Loading takes seconds: it starts when the page opens, not with the first stroke.
try {
  await request("/digits/models");
  ready = true;
  if (!drawn) $("#status")?.replaceWith(hint());
} catch (error) { notice(error.message, { error: true, source: "models" }); }

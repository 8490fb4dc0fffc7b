import { $, ask, debounce, make } from "/static/lib.js";
import { bars, grey, latest, origin, percent, pixels, signed, untrained } from "/static/pages/trained.js";

const pad = $("#pad"), pen = pad.getContext("2d", { willReadFrequently: true });
const SIDE = 140;
let last = null, drawn = false;
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
pad.addEventListener("pointermove", (event) => { if (last && event.buttons) for (const one of event.getCoalescedEvents?.() ?? [event]) line(...at(one)); });
for (const end of ["pointerup", "pointercancel"]) pad.addEventListener(end, () => { last = null; });

// The keyboard's pen: arrows move it, space lowers and lifts it.
let place = [140, 60], down = false;
pad.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] }[event.key];
  if (event.key === " ") { down = !down; last = null; } else if (step) place = place.map((v, i) => Math.max(10, Math.min(270, v + step[i]))); else return;
  event.preventDefault();
  if (down) line(...place);
});

$("#clear").onclick = () => { wipe(); last = null; $("#answers").replaceChildren(make("p", { class: "faint" }, "Draw, and three nets answer.")); $("#maps-card").hidden = $("#key").hidden = true; pixels([[0]], grey, $("#seen")); };
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
  const told = await ask("/digits/answer", { pixels: Array.from({ length: SIDE * SIDE }, (_, i) => data[4 * i]) });
  if (!drawn) return;
  pixels(told.seen, grey, $("#seen"));
  $("#answers").replaceChildren(...told.models.map((model) => (model.missing ? untrained(model.title, model) : card(model))));
  $("#key").hidden = told.models.every((model) => model.missing);
  $("#maps-card").hidden = !told.maps.length;
  $("#maps").replaceChildren(...told.maps.map((layer) => make("div", { class: "maps" }, ...layer.map((rows) => pixels(rows, grey)))));
});
const soon = debounce(show, 150);

function card(model) {
  const most = Math.max(...model.rests.flat().map(Math.abs), 0.01);
  const rests = pixels(model.rests, signed(most));
  rests.classList.add("rests");
  rests.setAttribute("aria-label", "What the answer rests on");
  return make("article", { class: "card stack answer", "data-experiment": model.experiment, "data-label": model.label },
    make("h2", {}, model.title), make("div", { class: "row" }, make("span", { class: "big" }, model.label), make("span", { class: "number" }, percent(model.probability))),
    bars(model.probabilities), make("div", { class: "row" }, rests, make("small", {}, "what it rests on")), origin(model));
}

import { $, $$, ask, make } from "/static/lib.js";
import { grey, latest, pixels, untrained } from "/static/pages/trained.js";

const fresh = () => Math.floor(Math.random() * 2 ** 31);
const state = { seed: 1, other: 2, label: 3, sliders: [0, 0, 0, 0, 0, 0] };
const show = latest(async () => {
  const told = await ask("/generator/draw", state);
  if (told.missing) { $("#missing").replaceChildren(untrained("GAN", told)); $("#controls").hidden = true; return; }
  if (!$("#classes").children.length) {
    $("#classes").append(...told.classes.map((_, label) => make("button", { type: "button", "aria-label": `Digit ${label}`, onclick: () => { state.label = label; show(); } }, pixels([[0]], grey))));
    $("#way").append(...told.way.map(() => pixels([[0]], grey)));
  }
  $$("#classes button").forEach((button, label) => {
    pixels(told.classes[label], grey, $("canvas", button));
    button.setAttribute("aria-pressed", label === state.label);
  });
  $$("#way canvas").forEach((canvas, step) => pixels(told.way[step], grey, canvas));
  $("#noise").textContent = told.noise;
  $("#source").textContent = told.source;
  $("#way").dataset.drawn = JSON.stringify([state.seed, state.label, state.sliders]);
});
state.sliders.forEach((_, at) => {
  const slider = make("input", { type: "range", min: -3, max: 3, step: 0.1, value: 0, oninput: (event) => { state.sliders[at] = Number(event.target.value); show(); } });
  $("#sliders").append(make("label", {}, `Direction ${at + 1}`, slider));
});
const zero = () => { state.sliders.fill(0); $$("#sliders input").forEach((slider) => { slider.value = 0; }); };
$("#new").onclick = () => { state.seed = fresh(); zero(); show(); };
$("#zero").onclick = () => { zero(); show(); };
$("#other").onclick = () => { state.other = fresh(); show(); };
show();
const told = await ask("/generator/samples");
$("#samples-card").hidden = !told.epochs.length && !told.picture;
if (told.picture) $("#samples").append(make("img", { src: `data:image/png;base64,${told.picture}`, alt: "A row of digits for each of some epochs" }));
$("#samples").append(...told.epochs.map((sheet) => make("div", { class: "tiles" }, ...sheet.map((rows) => pixels(rows, grey)))), make("small", {}, "From top to bottom, over its epochs."));

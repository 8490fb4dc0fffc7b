import { $, $$, make, request } from "/static/lib.js";
import { grey, latest, pixels, untrained } from "/static/pages/trained.js";

const randomSeed = () => Math.floor(Math.random() * 2 ** 31);
const point = { seed: 1, target_seed: 2, label: 3, offsets: [0, 0, 0, 0, 0, 0] };
const show = latest(async () => {
  const drawn = await request("/generator/draw", point);
  if (drawn.train_command) { $("#missing").replaceChildren(untrained("GAN", drawn)); $("#controls").hidden = true; return; }
  if (!$("#classes").children.length) {
    $("#classes").append(...drawn.classes.map((_, label) => make("button", { type: "button", "aria-label": `Digit ${label}`, onclick: () => { point.label = label; show(); } }, pixels([[0]], grey))));
    $("#interpolation").append(...drawn.interpolation.map(() => pixels([[0]], grey)));
  }
  $$("#classes button").forEach((button, label) => {
    pixels(drawn.classes[label], grey, $("canvas", button));
    button.setAttribute("aria-pressed", label === point.label);
  });
  $$("#interpolation canvas").forEach((canvas, step) => pixels(drawn.interpolation[step], grey, canvas));
  $("#noise").textContent = drawn.noise;
  $("#source").textContent = drawn.source;
  $("#interpolation").dataset.drawn = JSON.stringify([point.seed, point.label, point.offsets]);
});
point.offsets.forEach((_, at) => {
  const slider = make("input", { type: "range", min: -3, max: 3, step: 0.1, value: 0, oninput: (event) => { point.offsets[at] = Number(event.target.value); show(); } });
  $("#sliders").append(make("label", {}, `Direction ${at + 1}`, slider));
});
const zero = () => { point.offsets.fill(0); $$("#sliders input").forEach((slider) => { slider.value = 0; }); };
$("#new").onclick = () => { point.seed = randomSeed(); zero(); show(); };
$("#zero").onclick = () => { zero(); show(); };
$("#target").onclick = () => { point.target_seed = randomSeed(); show(); };
show();
const samples = await request("/generator/samples");
$("#samples-card").hidden = !samples.epochs.length && !samples.picture;
if (samples.picture) $("#samples").append(make("img", { src: `data:image/png;base64,${samples.picture}`, alt: "Samples of each class, one row an epoch" }));
$("#samples").append(...samples.epochs.map((sheet) => make("div", { class: "tiles" }, ...sheet.map((rows) => pixels(rows, grey)))), make("small", {}, "The same noise in every row; later epochs are further down."));

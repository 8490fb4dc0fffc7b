import { $, ask, colour, debounce, diverging, inkOn, make, sharp } from "/static/lib.js";
import { latest, origin, percent, untrained } from "/static/pages/trained.js";

let told = null;
const show = latest(async () => {
  told = await ask("/reviews/answer", { text: $("#text").value });
  $("#note").textContent = told.cut ? `Only the first ${told.words.length} words are read here.` : "Blue words speak for praise, orange ones for blame: what the answer would lose without them.";
  draw();
});
function draw() {
  if (!told) return;
  $("#answers").replaceChildren(...told.models.map((model) => (model.missing ? untrained(model.title, model) : card(model))));
  for (const canvas of document.querySelectorAll("#answers canvas")) curve(canvas, told.models.find((model) => model.experiment === canvas.dataset.of).after);
}
function card(model) {
  const score = model.after.at(-1), good = score >= 0.5;
  const words = told.words.map((word, at) => {
    const span = make("span", { title: `${model.adds[at] > 0 ? "+" : ""}${model.adds[at].toFixed(2)} log-odds; after it ${percent(model.after[at])} praise` }, word);
    const strength = Math.tanh(model.adds[at] / 1.5);
    if (Math.abs(strength) > 0.08) {
      span.style.background = diverging(strength * 0.85);
      span.style.color = inkOn(diverging(strength * 0.85));
    }
    return span;
  });
  return make("article", { class: "card stack", "data-experiment": model.experiment, "data-score": score },
    make("h2", {}, model.title), make("div", { class: "row" }, make("span", { class: "big" }, good ? "praise" : "blame"), make("span", { class: "number" }, percent(good ? score : 1 - score))),
    make("canvas", { "data-of": model.experiment, role: "img", "aria-label": `Share of praise after each word, ${percent(score)} at the end` }),
    make("p", { class: "words" }, ...words.flatMap((word) => [word, " "])), origin(model));
}
/** The share of praise after each word, 0 to 1, with a line at one half. */
function curve(canvas, after) {
  const { context, width, height } = sharp(canvas);
  const x = (at) => (after.length > 1 ? 4 + (width - 8) * at / (after.length - 1) : width / 2), y = (share) => 4 + (height - 8) * (1 - share);
  context.strokeStyle = colour("--line");
  context.beginPath(); context.moveTo(0, y(0.5)); context.lineTo(width, y(0.5)); context.stroke();
  context.strokeStyle = colour("--accent"); context.lineWidth = 2;
  context.beginPath();
  after.forEach((share, at) => context.lineTo(x(at), y(share)));
  context.stroke();
  context.fillStyle = colour("--accent");
  context.beginPath(); context.arc(x(after.length - 1), y(after.at(-1)), 4, 0, 7); context.fill();
}
$("#text").addEventListener("input", debounce(show, 250));
document.addEventListener("themechange", draw);
window.addEventListener("resize", debounce(draw, 100));
show();

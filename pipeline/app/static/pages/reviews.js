import { $, debounce, diverging, inkOn, make, request } from "/static/lib.js";
import { Memory } from "/static/pages/memory.js";
import { curve, latest, origin, percent, untrained } from "/static/pages/trained.js";

let reply = null;
const memory = new Memory();
const show = latest(async () => {
  const text = $("#text").value;
  reply = { text, ...await request("/reviews/predict", { text }) };
  const shown = reply.words.length;
  $("#note").textContent = !reply.count ? "There is no word to read yet. Type a review."
    : shown < reply.count ? `The scores are of all ${reply.count} words. Colours and curves show the first ${shown} words only, as if the text ended there.` : "";
  draw();
  memory.update(reply);
});
function draw() {
  if (!reply) return;
  $("#answers").replaceChildren(...reply.models.map(article));
  for (const canvas of document.querySelectorAll("#answers canvas")) curve(canvas, reply.models.find((model) => model.experiment === canvas.dataset.of).prefix_scores);
}
function article(model) {
  if (model.train_command) return untrained(model.title, model);
  if (!model.unknown) return card(model);
  return make("article", { class: "card stack", "data-experiment": model.experiment }, make("h2", {}, model.title),
    make("p", {}, "No prediction: none of these words is in the model’s vocabulary."), origin(model));
}
function card(model) {
  const positive = model.score >= 0.5;
  const words = reply.words.map((word, at) => {
    const effect = model.effects[at], strength = Math.tanh(effect / 1.5);
    const span = make("span", { title: `${effect > 0 ? "+" : ""}${effect.toFixed(2)} log-odds; ${percent(model.prefix_scores[at])} positive after this word` }, word);
    if (Math.abs(strength) > 0.08) {
      span.style.background = diverging(strength * 0.85);
      span.style.color = inkOn(diverging(strength * 0.85));
    }
    return span;
  });
  return make("article", { class: "card stack", "data-experiment": model.experiment, "data-score": model.score },
    make("h2", {}, model.title), make("div", { class: "row" }, make("span", { class: "big" }, positive ? "positive" : "negative"), make("span", { class: "number" }, percent(positive ? model.score : 1 - model.score))),
    make("canvas", { "data-of": model.experiment, role: "img", "aria-label": `Probability of a positive review after each word; ${percent(model.score)} for the whole text` }),
    make("p", { class: "words" }, ...words.flatMap((word) => [word, " "])),
    model.recurrent ? make("button", { type: "button", "data-memory": model.experiment, "aria-pressed": String(memory.experiment === model.experiment), onclick: () => memory.open(model.experiment) }, "Show its memory") : null, origin(model));
}
$("#text").addEventListener("input", debounce(show, 250));
document.addEventListener("themechange", draw);
window.addEventListener("resize", debounce(draw, 100));
show();

// Shared by the pages of trained models: untrained models, probabilities, arrays as pictures, curves.
import { clearNotice, colour, diverging, make, notice, request, sharp } from "/static/lib.js";

/** A card in place of a model that is not trained yet: the command, and a button that runs it. */
export function untrained(title, { experiment, train_command: command }) {
  return make("article", { class: "card stack missing" }, make("h2", {}, title), make("p", {}, "Not trained yet. Train it with:"),
    make("pre", { tabindex: 0 }, command),
    make("button", { type: "button", class: "primary", onclick: () => train(experiment) }, "Train it now"));
}
/** The origin of the model: the registry's champion, a run, or a recorded model. */
export const origin = ({ source }) => make("small", { class: "source" }, source);

async function train(experiment) {
  try {
    await request("/live/start", { experiment });
    location.href = "/live#started"; // shows this run as soon as it exists, and no older one
  } catch (error) { notice(error.message, { error: true }); }
}

/** A 2-D array as a canvas of one pixel a value, coloured by `paint(value)` -> [r, g, b]. */
export function pixels(rows, paint, canvas = make("canvas", { class: "pixels" })) {
  canvas.height = rows.length;
  canvas.width = rows[0].length;
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  rows.flat().forEach((value, at) => image.data.set([...paint(value), 255], 4 * at));
  context.putImageData(image, 0, 0);
  return canvas;
}
export const grey = (value) => [value, value, value];
/** Blue for positive values, orange for negative ones; `largest` has the strongest colour. */
export const signed = (largest) => (value) => diverging(largest ? value / largest : 0).match(/\d+/g).map(Number);
export const percent = (fraction) => `${(100 * fraction).toFixed(1)} %`;

/** `work`, one call at a time; of the calls made meanwhile only the last is repeated. A success clears its own error. */
export function latest(work) {
  const source = `latest ${Math.random()}`;
  let busy = false, pending = null;
  return async function run(...values) {
    if (busy) { pending = values; return; }
    busy = true;
    try { await work(...values); clearNotice(source); } catch (error) { notice(error.message, { error: true, source }); } finally {
      busy = false;
      if (pending) { const next = pending; pending = null; run(...next); }
    }
  };
}

const barRows = (rows) => make("div", { class: "bars" }, ...rows.flatMap(([label, share, text]) => {
  const bar = make("i");
  bar.style.setProperty("--share", share);
  return [make("span", {}, label), make("div", { class: "meter" }, bar), make("span", { class: "number" }, text)];
}));

/** A bar for each class, as long as its probability. */
export const bars = (probabilities) => barRows(Object.entries(probabilities).map(([label, value]) => [label, value, percent(value)]));

/** A bar for each class from the smallest score to the largest. */
export function scoreBars(scores) {
  const values = Object.values(scores), least = Math.min(...values), range = Math.max(...values) - least || 1;
  return barRows(Object.entries(scores).map(([label, value]) => [label, (value - least) / range, value.toFixed(2)]));
}

/** The probability of a positive review after each word, 0 to 1, at the middle of the word's column; a line at one half. */
export function curve(canvas, scores) {
  const { context, width, height } = sharp(canvas);
  const x = (at) => (width * (at + 0.5)) / scores.length, y = (score) => 4 + (height - 8) * (1 - score);
  context.strokeStyle = colour("--line");
  context.beginPath(); context.moveTo(0, y(0.5)); context.lineTo(width, y(0.5)); context.stroke();
  context.strokeStyle = colour("--accent"); context.lineWidth = 2;
  context.beginPath();
  scores.forEach((score, at) => context.lineTo(x(at), y(score)));
  context.stroke();
  context.fillStyle = colour("--accent");
  context.beginPath(); context.arc(x(scores.length - 1), y(scores.at(-1)), 4, 0, 7); context.fill();
}

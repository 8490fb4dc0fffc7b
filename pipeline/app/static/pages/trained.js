// What pages with trained nets share: a model that is not there yet, and pictures of numbers.
import { ask, diverging, make, notice } from "/static/lib.js";

/** A card in the place of a model that was not trained yet: the command, and a button that runs it. */
export function untrained(title, { experiment, missing }) {
  return make("article", { class: "card stack missing" }, make("h2", {}, title), make("p", {}, "Not trained yet:"),
    make("pre", {}, missing),
    make("button", { type: "button", class: "primary", onclick: () => train(experiment) }, "Train it now"));
}
/** Which model answers: the registry's champion, a run, or what was recorded. */
export const origin = ({ source }) => make("small", { class: "source" }, source);

async function train(experiment) {
  try {
    await ask("/live/start", { experiment });
    location.href = "/live";
  } catch (error) { notice(error.message, { error: true }); }
}

/** Rows of numbers as a canvas of one pixel each, coloured by `paint(value)` -> [r, g, b]. */
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
/** Blue for what speaks for something, orange against; `most` is the strongest colour. */
export const signed = (most) => (value) => diverging(most ? value / most : 0).match(/\d+/g).map(Number);
export const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** `work`, one call at a time; of calls that came meanwhile only the last is made. */
export function latest(work) {
  let busy = false, waiting = null;
  return async function run(...given) {
    if (busy) { waiting = given; return; }
    busy = true;
    try { await work(...given); } catch (error) { notice(error.message, { error: true }); } finally {
      busy = false;
      if (waiting) { const next = waiting; waiting = null; run(...next); }
    }
  };
}

/** A bar for each class, as long as its probability. */
export function bars(probabilities) {
  return make("div", { class: "bars" }, ...Object.entries(probabilities).flatMap(([label, share]) => {
    const bar = make("i");
    bar.style.setProperty("--share", share);
    return [make("span", {}, label), make("div", { class: "meter" }, bar), make("span", { class: "number" }, percent(share))];
  }));
}

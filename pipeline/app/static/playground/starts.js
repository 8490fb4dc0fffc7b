// Five networks that differ in their initial weights alone: their maps and losses side by side.

import { $, make } from "../lib.js";
import { heat } from "./maps.js";
import { view } from "./state.js";

const SIZE = 50;
let runs = [];
const loss = (value) => (value === null ? "NaN" : value.toFixed(3));

/** `ask` requests the five networks; training them takes a moment. */
export function bindStarts(ask) {
  $("#starts").addEventListener("click", () => {
    runs = [];
    $("#many").hidden = false;
    $("#many-maps").replaceChildren();
    $("#many-summary").textContent = "Training five networks …";
    ask();
  });
  $("#many-close").addEventListener("click", closeStarts);
}
export function closeStarts() { $("#many").hidden = true; }

export function showStarts(message) {
  runs = message.runs.map((run) => ({ ...run, codes: Uint8Array.from(atob(run.map), (letter) => letter.charCodeAt(0)) }));
  const test = runs.map((run) => run.test).filter((value) => value !== null);
  const mean = test.reduce((sum, value) => sum + value, 0) / test.length;
  const sd = Math.sqrt(test.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, test.length - 1));
  $("#many-summary").textContent = test.length < runs.length ? `After ${message.epochs} epochs, ${runs.length - test.length} of ${runs.length} networks have a loss that is no number.`
    : `After ${message.epochs} epochs the test loss is ${loss(mean)} ± ${loss(sd)} (mean ± standard deviation), from ${loss(Math.min(...test))} to ${loss(Math.max(...test))}.`;
  $("#many-maps").replaceChildren(...runs.map((run) => make("figure", {}, make("canvas", { role: "img", "aria-label": `Output of the network with initialization ${run.initialization}` }),
    make("figcaption", {}, `initialization ${run.initialization}: test ${loss(run.test)}, train ${loss(run.train)}`))));
  drawStarts();
  $("#many").scrollIntoView({ block: "nearest" });
}
/** Draw the maps again, such as in the colours of another theme. */
export function drawStarts() {
  if (!$("#many").hidden) runs.forEach(({ codes }, at) => heat($("#many-maps").children[at].firstChild, codes, SIZE, view.discretize));
}

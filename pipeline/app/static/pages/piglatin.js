import { $, ask, debounce, diverging, make } from "/static/lib.js";
import { latest, untrained } from "/static/pages/trained.js";

let told = null;
const show = latest(async () => {
  told = await ask("/piglatin/translate", { text: $("#text").value });
  if (told.missing) { $("#missing").replaceChildren(untrained("Translator", told)); $("#form").hidden = true; return; }
  $("#translation").textContent = told.translation;
  $("#verdict").textContent = told.translation === told.rule ? "The rule says the same." : `The rule says: ${told.rule}`;
  $("#source").textContent = told.source;
  draw();
});
const draw = () => $("#words").replaceChildren(...(told?.words ?? []).map(table));
/** Rows: letters written; columns: letters read; the bluer, the longer it looked there. */
function table({ word, answer, rule, looks }) {
  const head = make("tr", {}, make("th"), ...[...word].map((letter) => make("th", { scope: "col" }, letter)));
  const rows = looks.map((weights, at) => make("tr", {}, make("th", { scope: "row" }, answer[at] ?? "■"), ...weights.map((weight) => {
    const cell = make("td", { title: `${Math.round(100 * weight)} %` });
    cell.style.background = diverging(weight);
    return cell;
  })));
  return make("article", { class: "card stack", "data-word": word }, make("h3", {}, `${word} → ${answer}${answer === rule ? "" : ` (rule: ${rule})`}`), make("table", {}, head, ...rows));
}
$("#text").addEventListener("input", debounce(show, 120));
document.addEventListener("themechange", draw);
show();

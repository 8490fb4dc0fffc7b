import { $, debounce, diverging, make, request } from "/static/lib.js";
import { latest, untrained } from "/static/pages/trained.js";

let reply = null;
const show = latest(async () => {
  reply = await request("/piglatin/translate", { text: $("#text").value });
  if (reply.train_command) { $("#missing").replaceChildren(untrained("Translator", reply)); $("#form").hidden = true; return; }
  $("#translation").textContent = reply.translation;
  $("#verdict").textContent = reply.translation === reply.rule ? "This equals the rule’s translation." : `The rule’s translation: ${reply.rule}`;
  const hidden = reply.hidden ? [`Attention is drawn for the first ${reply.words.length} words; ${reply.hidden} more are translated.`] : [];
  $("#notes").replaceChildren(...[...reply.notes, ...hidden].map((text) => make("small", {}, text)));
  $("#source").textContent = reply.source;
  draw();
});
const draw = () => $("#words").replaceChildren(...(reply?.words ?? []).map(table));
/** Attention: a row for each letter written, a column for each letter read; bluer cells have more weight. */
function table({ word, translation, rule, attention }) {
  const head = make("tr", {}, make("th"), ...[...word].map((letter) => make("th", { scope: "col" }, letter)));
  const rows = attention.map((weights, at) => make("tr", {}, make("th", { scope: "row" }, translation[at] ?? "■"), ...weights.map((weight) => {
    const cell = make("td", { title: `${Math.round(100 * weight)} %` });
    cell.style.background = diverging(weight);
    return cell;
  })));
  return make("article", { class: "card stack", "data-word": word }, make("h3", {}, `${word} → ${translation}${translation === rule ? "" : ` (rule: ${rule})`}`), make("table", {}, head, ...rows));
}
$("#text").addEventListener("input", debounce(show, 120));
document.addEventListener("themechange", draw);
show();

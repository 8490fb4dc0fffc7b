// A net in words: what each neuron computes, with its numbers; and the fields that set them.

import { $, make } from "../lib.js";
import { featureName } from "./network.js";
import { settings } from "./state.js";

const OUTPUT = () => (settings.rule === "rosenblatt" ? "sign" : "f");
const source = (layer, at) => (layer === 0 ? featureName(settings.features[at]) : `h${layer}.${at + 1}`);

/** "h1.2 = tanh(0.41 X₁ − 0.12 X₂ + 0.10)" */
export function formula(layer, unit, row, classifies) {
  const inside = [...row].map((weight, at) => {
    const number = Number.isFinite(weight) ? Math.abs(weight).toFixed(2) : "NaN";
    const sign = weight < 0 ? " − " : " + ";
    return sign + number + (at < row.length - 1 ? ` ${source(layer, at)}` : "");
  }).join("").replace(/^ \+ /, "").replace(/^ − /, "−");
  const hidden = settings.layers[layer];
  const name = hidden ? hidden.activation : OUTPUT() === "sign" ? "sign" : classifies ? "tanh" : "linear";
  return `${hidden ? `h${layer + 1}.${unit + 1}` : "output"} = ${name === "linear" ? inside : `${name}(${inside})`}`;
}

function dialog(title, ...body) {
  $("#unit-title").textContent = title;
  $("#unit-body").replaceChildren(...body);
  if (!$("#unit").open) $("#unit").showModal();
}

/** One neuron: its formula, its activation's, and its weights to be set. `edit(weight)` is told what was typed. */
export function showUnit(layer, unit, row, classifies, family, edit) {
  const name = settings.layers[layer]?.activation ?? (classifies ? "tanh" : "linear");
  const fields = [...row].map((weight, at) => {
    const last = at === row.length - 1;
    return make("label", {}, last ? "bias" : source(layer, at), make("input", {
      type: "number", step: "any", id: `weight-${at}`, value: Number.isFinite(weight) ? Number(weight.toFixed(4)) : "",
      onchange: (event) => event.target.value !== "" && edit({ layer, unit, source: at, value: Number(event.target.value) }),
    }));
  });
  dialog(settings.layers[layer] ? `Neuron ${unit + 1} of layer ${layer + 1}` : "The output neuron",
    make("pre", { class: "formula" }, formula(layer, unit, row, classifies)),
    make("p", { class: "faint" }, `f(x) = ${family[name].formula},  slope: ${family[name].slope}`),
    make("div", { class: "weights" }, ...fields));
}

/** The whole net. */
export function showAll(rows, classifies, family) {
  const lines = rows.map(([layer, unit, row]) => formula(layer, unit, row, classifies)).join("\n");
  const used = [...new Set(settings.layers.map((layer) => layer.activation))];
  dialog("The net as formulas", make("pre", { class: "formula" }, lines),
    ...used.map((name) => make("p", { class: "faint" }, `${name}: f(x) = ${family[name].formula},  slope: ${family[name].slope}`)));
}

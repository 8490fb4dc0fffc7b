// The network as formulas, and the fields that set a neuron's weights.

import { $, make } from "../lib.js";
import { featureName } from "./network.js";
import { settings } from "./state.js";

const OUTPUT = () => (settings.rule === "rosenblatt" ? "sign" : "f");
export const source = (layer, at) => (layer === 0 ? featureName(settings.features[at]) : `h${layer}.${at + 1}`);

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

let onFrame = null; // updates the open dialog with new weights
/** Show the current weights in the open dialog; `row(layer, unit)` has a unit's weights and bias. */
export function updateDialog(row) { if ($("#unit").open) onFrame?.(row); }

function openDialog(title, update, ...body) {
  onFrame = update;
  $("#unit-title").textContent = title;
  $("#unit-body").replaceChildren(...body);
  if (!$("#unit").open) $("#unit").showModal();
}

const shown = (weight) => (Number.isFinite(weight) ? String(Number(weight.toFixed(4))) : "");

/** One neuron: its formula, its activation function, and its weights; `edit(weight)` is called with what was entered. */
export function showUnit(layer, unit, row, classifies, family, edit) {
  const name = settings.layers[layer]?.activation ?? (classifies ? "tanh" : "linear");
  const text = make("pre", { class: "formula" });
  const fields = [...row].map((weight, at) => make("input", {
    type: "number", step: "any", id: `weight-${at}`,
    onchange: ({ target }) => target.value !== "" && edit({ layer, unit, source: at, value: Number(target.value) }),
    // Escape restores the value, so that closing the dialog does not commit what was typed.
    onkeydown: (event) => { if (event.key === "Escape") event.target.value = event.target.dataset.shown; },
  }));
  const update = (weights) => {
    text.textContent = formula(layer, unit, weights, classifies);
    fields.forEach((field, at) => {
      field.dataset.shown = shown(weights[at]);
      if (field !== document.activeElement) field.value = field.dataset.shown; // what is being typed stays
    });
  };
  update(row);
  openDialog(settings.layers[layer] ? `Neuron ${unit + 1} of layer ${layer + 1}` : "The output neuron", (rowOf) => update(rowOf(layer, unit)),
    text, make("p", { class: "faint" }, `f(x) = ${family[name].formula},  slope: ${family[name].slope}`),
    make("div", { class: "weights" }, ...fields.map((field, at) => make("label", {}, at === row.length - 1 ? "bias" : source(layer, at), field))));
}

/** The whole network; `units` lists [layer, unit]. */
export function showAll(units, row, classifies, family) {
  const text = make("pre", { class: "formula" });
  const update = (rowOf) => { text.textContent = units.map(([layer, unit]) => formula(layer, unit, rowOf(layer, unit), classifies)).join("\n"); };
  update(row);
  const used = [...new Set(settings.layers.map((layer) => layer.activation))];
  openDialog("The network as formulas", update, text,
    ...used.map((name) => make("p", { class: "faint" }, `${name}: f(x) = ${family[name].formula},  slope: ${family[name].slope}`)));
}

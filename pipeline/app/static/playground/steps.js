// One training point's forward pass, loss, backward pass and update, a step at a time, in numbers beside the formulas.

import { $ } from "../lib.js";
import { source } from "./formulas.js";
import { settings } from "./state.js";

const LOSSES = {
  squared: ["E = ½ (y − t)²", "dE/dy = y − t"], absolute: ["E = |y − t|", "dE/dy = sign(y − t)"],
  cross_entropy: ["E = log(1 + e^(−2 t z))", "dE/dz = tanh(z) − t"], hinge: ["E = max(0, 1 − t z)", "dE/dz = −t where t z < 1, else 0"],
};
const shown = (value) => (value === null ? "NaN" : value.toFixed(4).replace("-", "−"));
const factor = (value) => (value !== null && value < 0 ? `(${shown(value)})` : shown(value));

export class Steps {
  /** `act`: {ask, emphasize, family, classifies}. */
  constructor(act) {
    this.act = act; this.point = 0; this.at = 0;
    $("#trace").addEventListener("click", () => { this.at = 0; act.ask(this.point); });
    $("#steps-close").addEventListener("click", () => this.close());
    $("#steps-next").addEventListener("click", () => this.go(1));
    $("#steps-back").addEventListener("click", () => this.go(-1));
    $("#steps-point").addEventListener("click", () => { this.at = 0; act.ask(this.point + 1); });
  }

  close() { $("#steps").hidden = true; this.act.emphasize(null); }
  go(by) { this.at = Math.max(0, Math.min(this.list.length - 1, this.at + by)); this.draw(); }

  show(numbers) {
    this.point = numbers.point;
    this.list = this.steps(numbers);
    $("#steps").hidden = false;
    this.draw();
    $("#steps").scrollIntoView({ block: "nearest" });
  }

  draw() {
    const { name, rule, lines, layer, rows } = this.list[this.at];
    $("#steps-name").textContent = name;
    $("#steps-rule").textContent = rule;
    $("#steps-numbers").textContent = lines.join("\n");
    $("#steps-count").textContent = `step ${this.at + 1} of ${this.list.length}, training point ${this.point + 1}`;
    $("#steps-back").disabled = this.at === 0;
    $("#steps-next").disabled = this.at === this.list.length - 1;
    this.act.emphasize(layer ?? null, rows);
  }

  /** All steps: {name, rule, lines, layer, rows}; `rows` colour the links into `layer`. */
  steps({ target, inputs, layers, loss, loss_after: after, lr }) {
    const last = layers.length - 1, rate = `${lr}`;
    const unit = (layer, at) => (layer === last ? "output" : `h${layer + 1}.${at + 1}`);
    const name = (layer) => (layer === last ? "the output" : `layer ${layer + 1}`);
    const activation = (layer) => (layer === last ? (this.act.classifies() ? "tanh" : "linear") : settings.layers[layer].activation);
    const below = (layer) => (layer === 0 ? inputs : layers[layer - 1].y);
    const from = (layer, at) => (at === below(layer).length ? "bias" : source(layer, at));
    const forward = layers.map(({ weights, z, y }, layer) => ({
      name: `Forward: ${name(layer)}`, layer, rule: `z = Σ w y + b, y = f(z) with f = ${activation(layer)}: ${this.act.family[activation(layer)].formula}`,
      lines: weights.map((row, at) => `${unit(layer, at)}: z = ${row.map((weight, i) => (i < row.length - 1 ? `${factor(weight)}·${factor(below(layer)[i])}` : factor(weight))).join(" + ")} = ${shown(z[at])},  y = ${shown(y[at])}`),
    }));
    const [formula, slope] = LOSSES[settings.loss];
    const backward = layers.map(({ error, gradient }, layer) => ({
      name: `Backward: ${name(layer)}`, layer, rows: gradient,
      rule: layer === last ? `${slope}${slope.startsWith("dE/dy") ? ", dE/dz = dE/dy f′(z)" : ""}; dE/dw = dE/dz · y of the layer below`
        : `dE/dz = f′(z) Σ dE/dz w over the layer above, f′ = ${this.act.family[activation(layer)].slope}; dE/dw = dE/dz · y of the layer below`,
      lines: error.flatMap((value, at) => {
        const why = layer === last ? "" : `f′(z) · (${layers[layer + 1].error.map((above, j) => `${factor(above)}·${factor(layers[layer + 1].weights[j][at])}`).join(" + ")}) = `;
        return [`dE/dz(${unit(layer, at)}) = ${why}${shown(value)}`,
          ...gradient[at].map((derivative, i) => `  dE/dw(${from(layer, i)} → ${unit(layer, at)}) = ${factor(value)}${i < below(layer).length ? `·${factor(below(layer)[i])}` : "·1"} = ${shown(derivative)}`)];
      }),
    })).reverse();
    return [
      { name: "The point", rule: "The features are computed from its coordinates.", lines: [...inputs.map((value, at) => `${source(0, at)} = ${shown(value)}`), `target t = ${shown(target)}`] },
      ...forward,
      { name: "Loss", rule: formula, lines: [`t = ${shown(target)},  y = ${shown(layers[last].y[0])}`, `E = ${shown(loss)}`] },
      ...backward,
      { name: "Update", rule: `w ← w − η dE/dw with the learning rate η = ${rate}`,
        lines: [...layers.flatMap(({ weights, gradient, updated }, layer) => weights.flatMap((row, at) => row.map((weight, i) => `w(${from(layer, i)} → ${unit(layer, at)}): ${shown(weight)} − ${rate}·${factor(gradient[at][i])} = ${shown(updated[at][i])}`))),
          `E of this point with the new weights: ${shown(after)}, before: ${shown(loss)}`] },
    ];
  }
}

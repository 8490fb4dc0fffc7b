// The network as a picture: features, neurons with their maps, links by weight. Rebuilt when its shape changes.

import { $, colour, diverging, make, sharp } from "../lib.js";
import { featureCodes, heat } from "./maps.js";
import { FEATURES, settings, view } from "./state.js";

const NAMES = ["X₁", "X₂", "X₁²", "X₂²", "X₁X₂", "sin X₁", "sin X₂"];
export const featureName = (feature) => NAMES[FEATURES.indexOf(feature)];
const HEAD = 62, CURVE = 0.5, DASH = 10, BIAS = 7;

/** `act` handles the user's actions: {activations, feature, units, activation, openUnit, inspectFeature, inspect, edit}. */
export class Network {
  constructor(act) {
    this.act = act; this.stage = $("#stage"); this.nodes = $("#nodes"); this.canvas = $("#links"); this.weights = null; this.hovered = null; this.phase = 0; this.traced = null;
    this.canvas.addEventListener("pointermove", (event) => this.hover(event));
    this.canvas.addEventListener("pointerleave", () => { this.hovered = null; this.draw(); });
    this.canvas.addEventListener("click", (event) => { this.hover(event); if (this.hovered) act.edit(this.hovered, event.clientX, event.clientY); });
    new ResizeObserver(() => this.build()).observe(this.stage);
  }

  get widths() { return [settings.features.length, ...settings.layers.map((layer) => layer.units), 1]; }

  build() {
    const tallest = Math.max(7, ...settings.layers.map((layer) => layer.units));
    this.stage.style.minWidth = `${94 + 66 * (settings.layers.length + 1)}px`;
    const width = this.stage.clientWidth, gap = tallest > 9 ? 34 : 46;
    const size = this.size = tallest > 9 ? 26 : 36, left = 78, right = width - 16, step = (right - left) / (settings.layers.length + 1);
    this.stage.style.height = `${HEAD + tallest * gap + 10}px`;
    const focus = document.activeElement?.id;
    this.nodes.replaceChildren();
    this.places = [];
    const y = (row) => HEAD + gap / 2 + row * gap;
    const chosen = new Map();
    FEATURES.forEach((feature, row) => {
      const on = settings.features.includes(feature);
      if (on) chosen.set(feature, { x: left, y: y(row) });
      const node = this.node(`feature-${row}`, left, y(row), `feature${on ? "" : " off"}`, `Feature ${NAMES[row]}`, () => this.act.feature(feature));
      node.setAttribute("aria-pressed", on);
      for (const event of ["pointerenter", "focus"]) node.addEventListener(event, () => this.act.inspectFeature(row));
      for (const event of ["pointerleave", "blur"]) node.addEventListener(event, () => this.act.inspectFeature(null));
      const name = make("span", { class: "name" }, NAMES[row]);
      name.style.left = `${left - size / 2}px`; name.style.top = `${y(row)}px`;
      this.nodes.append(name);
      heat(node.firstChild, featureCodes(row), 50, view.discretize);
    });
    this.places.push(settings.features.map((feature) => chosen.get(feature)));
    settings.layers.forEach((layer, at) => {
      const x = left + step * (at + 1);
      this.nodes.append(this.head(layer, at, x));
      this.places.push(Array.from({ length: layer.units }, (_, unit) => {
        const node = this.node(`unit-${at}-${unit}`, x, y(unit), "unit", `Neuron ${unit + 1} of layer ${at + 1}`, () => this.act.openUnit(at, unit));
        for (const event of ["pointerenter", "focus"]) node.addEventListener(event, () => this.act.inspect(at, unit));
        for (const event of ["pointerleave", "blur"]) node.addEventListener(event, () => this.act.inspect(-1, -1));
        return { x, y: y(unit), node };
      }));
    });
    this.places.push([{ x: right, y: HEAD + (tallest * gap) / 2 }]);
    const end = this.node("unit-output", right, HEAD + (tallest * gap) / 2, "unit", "The output neuron", () => this.act.openUnit(settings.layers.length, 0));
    end.style.width = end.style.height = `${size * 0.7}px`;
    this.places.at(-1)[0].node = end;
    if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
    this.draw();
  }

  node(id, x, y, kind, name, click) {
    const node = make("button", { type: "button", class: `node ${kind}`, id, "aria-label": name, title: name, onclick: click }, make("canvas"));
    Object.assign(node.style, { left: `${x}px`, top: `${y}px`, width: `${this.size}px`, height: `${this.size}px` });
    this.nodes.append(node);
    return node;
  }

  head(layer, at, x) {
    const button = (sign, by, name) => make("button", { type: "button", class: "small", id: `${by > 0 ? "more" : "fewer"}-${at}`, "aria-label": `${name} neurons in layer ${at + 1}`, onclick: () => this.act.units(at, by) }, sign);
    const select = make("select", { id: `activation-${at}`, "aria-label": `Activation of layer ${at + 1}`, onchange: (event) => this.act.activation(at, event.target.value) },
      ...this.act.activations().map((name) => make("option", { value: name, selected: name === layer.activation }, name)));
    const head = make("div", { class: "column-head" }, make("div", {}, button("−", -1, "Fewer"), make("span", {}, String(layer.units)), button("+", 1, "More")), select);
    head.style.left = `${x}px`;
    return head;
  }

  /** Show new weights (theta), a map of size x size for each hidden unit, and the output's map (null while a unit is inspected). */
  show(theta, maps, size, output) {
    this.weights = theta; this.maps = maps; this.mapSize = size;
    this.output = output ?? this.output;
    this.draw();
  }

  /** Move the dashes of the links a step towards the output, unless the reader prefers reduced motion. */
  advance() { if (!matchMedia("(prefers-reduced-motion: reduce)").matches) this.phase = (this.phase + 0.5) % DASH; }

  /** Emphasize the links into layer `at`, coloured by `rows` (one for each unit) in place of the weights; null ends it. */
  emphasize(at, rows = null) { this.traced = at === null ? null : { at, rows }; this.draw(); }

  /** Index in theta of the first weight of a unit of layer `at`. */
  offset(at, unit) {
    const widths = this.widths;
    let start = 0;
    for (let layer = 0; layer < at; layer++) start += widths[layer + 1] * (widths[layer] + 1);
    return start + unit * (widths[at] + 1);
  }

  draw() {
    if (!this.places) return;
    const { context } = sharp(this.canvas), half = this.size / 2;
    this.curves = [];
    context.setLineDash([DASH - 1, 1]);
    context.lineDashOffset = -this.phase;
    const fits = this.weights?.length === this.widths.slice(1).reduce((sum, units, at) => sum + units * (this.widths[at] + 1), 0);
    for (let at = 0; at + 1 < this.places.length; at++) {
      this.places[at + 1].forEach((to, unit) => this.places[at].forEach((from, source) => {
        const emphasized = this.traced?.at === at;
        const weight = emphasized && this.traced.rows ? this.traced.rows[unit][source] ?? NaN : fits ? this.weights[this.offset(at, unit) + source] : 0;
        const a = from.x + half, b = to.x - half, bend = (b - a) * CURVE;
        context.beginPath();
        context.moveTo(a, from.y);
        context.bezierCurveTo(a + bend, from.y, b - bend, to.y, b, to.y);
        const lit = this.hovered && this.hovered.layer === at && this.hovered.unit === unit && this.hovered.source === source;
        context.lineWidth = Math.max(0.6, Math.min(9, Math.abs(weight) * 3)) + (lit ? 2 : 0);
        context.strokeStyle = Number.isFinite(weight) ? diverging(weight) : colour("--bad");
        context.globalAlpha = lit || emphasized ? 1 : this.traced ? 0.15 : 0.85;
        context.stroke();
        this.curves.push({ a, b, from: from.y, to: to.y, layer: at, unit, source, weight });
      }));
    }
    context.globalAlpha = 1;
    if (fits) this.units(context);
  }

  units(context) {
    let index = 0;
    this.biases = [];
    if (this.output) heat(this.places.at(-1)[0].node.firstChild, this.output, Math.sqrt(this.output.length), view.discretize);
    this.places.slice(1, -1).forEach((layer, at) => layer.forEach(({ node, x, y }, unit) => {
      const map = this.maps?.[index++];
      if (map) heat(node.firstChild, map, this.mapSize, view.discretize);
      const bias = { layer: at, unit, source: this.widths[at], weight: this.weights[this.offset(at, unit) + this.widths[at]] };
      Object.assign(bias, { x: x - this.size / 2 - BIAS - 1, y: y + this.size / 2 - BIAS });
      this.biases.push(bias);
      context.fillStyle = diverging(bias.weight);
      context.fillRect(bias.x, bias.y, BIAS, BIAS);
    }));
  }

  hover(event) {
    const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    let best = null, distance = 7;
    for (const curve of this.curves ?? []) {
      if (x < curve.a || x > curve.b) continue;
      const t = solve((x - curve.a) / (curve.b - curve.a));
      const away = Math.abs(curve.from + (curve.to - curve.from) * (3 * t * t - 2 * t * t * t) - y);
      if (away < distance) { best = curve; distance = away; }
    }
    const onBias = this.biases?.find((bias) => x >= bias.x - 3 && x <= bias.x + BIAS + 3 && y >= bias.y - 3 && y <= bias.y + BIAS + 3);
    this.hovered = best = onBias ?? best;
    this.canvas.title = best ? `${onBias ? "Bias" : "Weight"} ${best.weight.toFixed(3)}: click to edit` : "";
    this.canvas.style.cursor = best ? "pointer" : "";
    this.draw();
  }
}

/** The parameter t at which the curve's x, 1.5 t (1 - t)² + 1.5 t² (1 - t) + t³, is a fraction of its width. */
function solve(fraction) {
  let low = 0, high = 1;
  for (let turn = 0; turn < 20; turn++) {
    const t = (low + high) / 2;
    if (1.5 * t * (1 - t) ** 2 + 1.5 * t * t * (1 - t) + t ** 3 < fraction) low = t; else high = t;
  }
  return low;
}

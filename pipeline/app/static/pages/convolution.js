// How a feature map is computed: patch, kernel, products, sum, batch norm and activation at each position of the input.
import { $, diverging, inkOn, make } from "/static/lib.js";
import { grey, pixels } from "/static/pages/trained.js";

const STEP_MS = 150;
const number = (value, digits = 3) => value.toFixed(digits).replace("-", "−").replace(/^−(0\.?0*)$/, "$1");
const factor = (value) => (value < 0 ? `(${number(value)})` : number(value));
const sum = (values) => values.reduce((total, value) => total + value, 0);
const largest = (values) => Math.max(...values.map(Math.abs), 1e-9);
const BORDER = [110, 110, 110]; // of padding

export class Convolution {
  constructor() {
    this.at = 0; this.input = 0; this.timer = 0;
    $("#position").addEventListener("input", (event) => { this.stop(); this.go(+event.target.value); });
    $("#input-map").addEventListener("change", (event) => { this.input = +event.target.value; this.draw(); });
    $("#slide").addEventListener("click", () => (this.timer ? this.stop() : this.start()));
    this.follow($("#conv-output"), (x, y) => [x * this.width, y * this.height]);
    this.follow($("#conv-input"), (x, y) => [(x * this.paddedWidth - this.side / 2) / this.steps.stride + 0.5, (y * this.paddedHeight - this.side / 2) / this.steps.stride + 0.5]);
    document.addEventListener("themechange", () => { if (this.steps) this.draw(); });
  }

  /** The pointer over a picture chooses the position; `place` turns fractions of the picture into column and row. */
  follow(canvas, place) {
    for (const event of ["pointerdown", "pointermove"]) canvas.addEventListener(event, ({ clientX, clientY, type }) => {
      if (!this.steps || (this.timer && type === "pointermove")) return;
      this.stop();
      const box = canvas.getBoundingClientRect();
      const [x, y] = place((clientX - box.left) / box.width, (clientY - box.top) / box.height).map(Math.floor);
      this.go(Math.max(0, Math.min(this.height - 1, y)) * this.width + Math.max(0, Math.min(this.width - 1, x)));
    });
  }

  get height() { return this.steps.outputs.length; }
  get width() { return this.steps.outputs[0].length; }
  get paddedHeight() { return this.steps.inputs[0].length + 2 * this.steps.padding; }
  get paddedWidth() { return this.steps.inputs[0][0].length + 2 * this.steps.padding; }
  get side() { return this.steps.kernel[0].length; }

  /** Show the steps of a map, as the server sends them; `name` is the map's. */
  show(steps, name) {
    const another = this.name !== name;
    Object.assign(this, { steps, name });
    const outputs = steps.outputs.flat(), weights = steps.kernel.map((kernel) => sum(kernel.flat().map(Math.abs)));
    if (another) this.input = weights.indexOf(Math.max(...weights));
    if (another) this.at = outputs.indexOf(Math.max(...outputs));
    const many = steps.inputs.length > 1;
    $("#input-map").parentElement.hidden = !many;
    $("#input-map").replaceChildren(...steps.inputs.map((_, at) => make("option", { value: at, selected: at === this.input }, `${at + 1} of ${steps.inputs.length}`)));
    $("#position").max = this.height * this.width - 1;
    $("#convolution-title").textContent = `How ${name} is computed`;
    $("#convolution-rule").textContent = `The kernel, ${many ? `${steps.inputs.length} × ` : ""}${this.side} × ${this.side} learned weights, moves over ${many ? `the ${steps.inputs.length} maps of the layer below` : "the picture"} in steps of ${steps.stride}. At each position the patch under it is multiplied by the kernel, number by number; the sum of the products becomes one pixel of the map.`
      + `${steps.padding ? ` The grey border is padding: zeros, ${steps.padding} wide.` : ""}${steps.pool > 1 ? ` Of each ${steps.pool} × ${steps.pool} pixels only the largest is kept in the feature map.` : ""}`;
    const first = $("#convolution").hidden;
    $("#convolution").hidden = false;
    this.draw();
    if (first) $("#convolution").scrollIntoView({ block: "nearest" });
  }

  hide() { this.stop(); this.name = null; $("#convolution").hidden = true; }

  start() {
    if (this.at === this.height * this.width - 1) this.at = -1;
    const step = () => {
      this.go(this.at + 1);
      this.timer = this.at < this.height * this.width - 1 ? setTimeout(step, STEP_MS) : 0;
      this.label();
    };
    step();
  }
  stop() { clearTimeout(this.timer); this.timer = 0; this.label(); }
  label() { $("#slide").textContent = this.timer ? "❚❚ Pause" : "▶ Move over the input"; }
  go(at) { this.at = at; this.moved(); }

  draw() {
    const { inputs, padding, outputs } = this.steps, map = inputs[this.input], edge = Array(padding).fill(null);
    const empty = Array.from({ length: padding }, () => Array(this.paddedWidth).fill(null));
    const brightest = largest(map.flat()), top = largest(outputs.flat());
    pixels([...empty, ...map.map((row) => [...edge, ...row, ...edge]), ...empty], (value) => (value === null ? BORDER : grey(255 * Math.max(0, value) / brightest)), $("#conv-input"));
    pixels(outputs, (value) => grey(255 * Math.max(0, value) / top), $("#conv-output"));
    this.moved();
  }

  /** The (K, K) patch of an input map at the position; 0 outside of the map. */
  patch(input) {
    const { inputs, stride, padding } = this.steps, y = Math.floor(this.at / this.width) * stride - padding, x = (this.at % this.width) * stride - padding;
    return Array.from({ length: this.side }, (_, i) => Array.from({ length: this.side }, (_, j) => inputs[input][y + i]?.[x + j] ?? 0));
  }

  moved() {
    const { kernel, stride, scale, shift, batch_norm: norm, activation, inputs, outputs } = this.steps;
    const y = Math.floor(this.at / this.width), x = this.at % this.width;
    const products = inputs.map((_, input) => this.patch(input).map((row, i) => row.map((value, j) => value * kernel[input][i][j])));
    const sums = products.map((product) => sum(product.flat())), total = sum(sums), before = scale * total + shift;
    frame($("#conv-input"), x * stride, y * stride, this.side, this.paddedWidth, this.paddedHeight);
    frame($("#conv-output"), x, y, 1, this.width, this.height);
    const patch = this.patch(this.input);
    grid($("#patch"), patch, largest(inputs[this.input].flat()));
    grid($("#kernel"), kernel[this.input], largest(kernel[this.input].flat()));
    grid($("#products"), products[this.input], largest(kernel[this.input].flat()) * largest(inputs[this.input].flat()));
    const lines = [inputs.length > 1 ? `Sum of these ${this.side ** 2} products: ${number(sums[this.input])}, over all ${inputs.length} input maps: ${number(total)}` : `Sum of the ${this.side ** 2} products: ${number(total)}`,
      norm ? `Batch norm: ${factor(scale)} · ${factor(total)} + ${factor(shift)} = ${number(before)}` : `Plus the bias: ${number(total)} + ${factor(shift)} = ${number(before)}`,
      `Activation: ${activation}(${number(before)}) = ${number(outputs[y][x])}`];
    $("#arithmetic").textContent = lines.join("\n");
    $("#position").value = this.at;
    $("#place").textContent = `row ${y + 1}, column ${x + 1} of ${this.height} × ${this.width}`;
    $("#position").setAttribute("aria-valuetext", `${$("#place").textContent}: ${number(outputs[y][x])}`);
  }
}

/** Put the frame beside a canvas around `side` of its pixels from (x, y). */
function frame(canvas, x, y, side, width, height) {
  const part = (value, of) => `${(100 * value) / of}%`;
  Object.assign(canvas.nextElementSibling.style, { left: part(x, width), top: part(y, height), width: part(side, width), height: part(side, height) });
}

/** Numbers as a table, coloured from orange (-`most`) to blue (`most`). */
function grid(table, rows, most) {
  table.tBodies[0].replaceChildren(...rows.map((row) => make("tr", {}, ...row.map((value) => {
    const cell = make("td", {}, number(value, 2)), background = diverging(value / most);
    Object.assign(cell.style, { background, color: inkOn(background) });
    return cell;
  }))));
}

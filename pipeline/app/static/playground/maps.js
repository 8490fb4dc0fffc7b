// Heat maps, points and the loss chart, on canvases.

import { colour, diverging, make, palette, sharp } from "../lib.js";
import { FUNCTIONS } from "./state.js";

const buffers = new Map(); // a small canvas and its pixels for each size, made once

function buffer(size) {
  if (!buffers.has(size)) {
    const canvas = make("canvas", { width: size, height: size });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const image = context.createImageData(size, size);
    buffers.set(size, { canvas, context, image, pixels: new Uint32Array(image.data.buffer) });
  }
  return buffers.get(size);
}

/** Draw size x size codes (a byte each; 0 is NaN) over the whole canvas. */
export function heat(canvas, codes, size, discretize = false) {
  const { context, width, height } = sharp(canvas);
  const small = buffer(size), { pixels } = small;
  const colours = new Uint32Array(palette().buffer);
  for (let at = 0; at < pixels.length; at++) {
    const code = codes[at];
    pixels[at] = code === 0 ? 0xff888888 : colours[discretize ? (code >= 128 ? 255 : 1) : code];
  }
  small.context.putImageData(small.image, 0, 0);
  context.drawImage(small.canvas, 0, 0, width, height);
  return { context, width, height };
}

/** The codes of a feature's map, computed in the browser. */
export function featureCodes(which, size = 50) {
  const codes = new Uint8Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const x = ((column + 0.5) / size) * 12 - 6, y = 6 - ((row + 0.5) / size) * 12;
      codes[row * size + column] = Math.floor(128 + 127 * Math.max(-1, Math.min(1, FUNCTIONS[which](x, y))));
    }
  }
  return codes;
}

/** Points [x, y, target] as dots; those from number `train` on are test points and have the other rim. */
export function dots(context, width, height, points, train, showTest, radius = 3.2) {
  points.forEach(([x, y, target], at) => {
    if (at >= train && !showTest) return;
    context.beginPath();
    context.arc(((x + 6) / 12) * width, ((6 - y) / 12) * height, radius, 0, 7);
    context.fillStyle = diverging(target);
    context.fill();
    context.lineWidth = at >= train ? 1.5 : 1;
    context.strokeStyle = colour(at >= train ? "--test-rim" : "--train-rim");
    context.stroke();
  });
}

export function legend(canvas) {
  const { context, width, height } = sharp(canvas);
  for (let x = 0; x < width; x++) { context.fillStyle = diverging((x / width) * 2 - 1); context.fillRect(x, 0, 1, height); }
}

/** The losses of all epochs: test solid, train dashed, the gap between them shaded. Rows are thinned to at most 600. */
export class Chart {
  constructor(canvas) { this.canvas = canvas; this.clear(); }
  clear() { this.rows = []; this.every = 1; }
  add(rows) {
    for (const row of rows) if (row[0] % this.every === 0) this.rows.push(row);
    while (this.rows.length > 600) { this.every *= 2; this.rows = this.rows.filter(([epoch]) => epoch % this.every === 0); }
  }
  draw() {
    const { context, width, height } = sharp(this.canvas);
    if (this.rows.length < 2) return;
    const finite = this.rows.flatMap((row) => row.slice(1)).filter((loss) => loss !== null);
    const most = Math.max(...finite, 1e-9), first = this.rows[0][0], last = this.rows.at(-1)[0];
    const x = (row) => ((row[0] - first) / (last - first)) * width, y = (loss) => height - 2 - (loss / most) * (height - 4);
    const whole = this.rows.filter((row) => row[1] !== null && row[2] !== null);
    context.beginPath();
    for (const row of whole) context.lineTo(x(row), y(row[1]));
    for (const row of whole.toReversed()) context.lineTo(x(row), y(row[2]));
    context.fillStyle = colour("--orange"); context.globalAlpha = 0.35; context.fill();
    for (const [which, ink] of [[1, colour("--faint")], [2, colour("--text")]]) {
      context.beginPath();
      let down = false;
      for (const row of this.rows) {
        if (row[which] === null) { down = false; continue; }
        if (down) context.lineTo(x(row), y(row[which])); else context.moveTo(x(row), y(row[which]));
        down = true;
      }
      context.strokeStyle = ink; context.lineWidth = 1.5; context.globalAlpha = 1; context.setLineDash(which === 1 ? [4, 3] : []); context.stroke();
    }
    context.setLineDash([]);
  }
}

// A line chart over training steps, with axes.
import { colour, sharp } from "/static/lib.js";

const LEFT = 44, RIGHT = 8, TOP = 18, BOTTOM = 34;

/** Round numbers from `low` to `high`, about `count` of them. */
export function ticks(low, high, count = 4) {
  if (!(high > low)) return [low];
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw * 0.999);
  const values = [];
  for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + step * 1e-9; value += step) values.push(Number(value.toPrecision(12)));
  return values;
}

/** `lines`: {name: [[step, value], …]}; the first is thin and blue, the second thick, with points, and orange. */
export function chart(canvas, lines) {
  const { context, width, height } = sharp(canvas);
  const points = Object.values(lines).flat();
  context.font = "11px system-ui";
  context.fillStyle = colour("--faint");
  if (!points.length) { context.fillText("No values yet.", 8, 20); return; }
  const values = points.map(([, value]) => value), end = Math.max(...points.map(([step]) => step), 1);
  let low = Math.min(...values), high = Math.max(...values);
  if (low === high) { low -= Math.abs(low) * 0.05 || 0.5; high += Math.abs(high) * 0.05 || 0.5; }
  const x = (step) => LEFT + (width - LEFT - RIGHT) * step / end, y = (value) => TOP + (height - TOP - BOTTOM) * (high - value) / (high - low);
  axes(context, { x, y, low, high, end, width, height });
  let left = LEFT; // of the next line's name
  Object.entries(lines).forEach(([name, line], at) => {
    drawLine(context, line, at, x, y);
    if (!line.length) return;
    context.fillText(name, left, 11);
    left += context.measureText(name).width + 16;
  });
}

function axes(context, { x, y, low, high, end, width, height }) {
  context.strokeStyle = colour("--line");
  context.lineWidth = 1;
  context.textAlign = "right";
  for (const value of ticks(low, high)) {
    context.beginPath(); context.moveTo(LEFT, y(value)); context.lineTo(width - RIGHT, y(value)); context.stroke();
    context.fillText(String(value), LEFT - 6, y(value) + 4);
  }
  context.textAlign = "center";
  const format = (step) => (step >= 10000 ? `${step / 1000}k` : String(step));
  for (const step of ticks(0, end, 4).filter(Number.isInteger)) context.fillText(format(step), Math.min(x(step), width - 14), height - BOTTOM + 14);
  context.fillText("step", (LEFT + width) / 2, height - 4);
  context.textAlign = "left";
}

function drawLine(context, line, at, x, y) {
  if (!line.length) return;
  context.strokeStyle = context.fillStyle = colour(at ? "--orange" : "--blue");
  context.lineWidth = at ? 2 : 1.3;
  context.beginPath();
  for (const [step, value] of line) context.lineTo(x(step), y(value));
  context.stroke();
  if (at || line.length === 1) for (const [step, value] of line) { context.beginPath(); context.arc(x(step), y(value), 2.5, 0, 7); context.fill(); }
}

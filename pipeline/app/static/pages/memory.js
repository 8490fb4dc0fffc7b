// The memory of a recurrent net: gates and states over the words of a review, and how its prediction moves.
import { $, debounce, make, request } from "/static/lib.js";
import { curve, latest, percent, pixels, signed } from "/static/pages/trained.js";

// Letter, name, and what it does; by cell.
const STATE = ["h", "State h", "what the rest of the network gets"];
const CELLS = {
  imdb_rnn: ["RNN", [["word", "Part of the word", "W · word + b"], ["state", "Part of the former state", "U · h before + b"], ["h", "State h", "tanh of both parts’ sum"]]],
  imdb_gru: ["GRU", [["r", "Reset gate r", "how much of the former state the candidate gets: 0 nothing, 1 all"], ["z", "Update gate z", "1 keeps the former state, 0 takes the candidate"], ["n", "Candidate n", "the new state, if z is 0"], STATE]],
  imdb_lstm: ["LSTM", [["f", "Forget gate f", "1 keeps the former cell, 0 clears it"], ["i", "Input gate i", "how much of the candidate is added to the cell"], ["g", "Candidate g", "what would be added"], ["c", "Cell c", "the memory"], ["o", "Output gate o", "how much of the cell is shown"], STATE]],
};
const POOLING = { max_mean: "the maximum and the mean of each unit’s state over all words", last: "the states after the last word read" };
const number = (value) => value.toFixed(3).replace("-", "−").replace(/^−(0\.0*)$/, "$1");
const factor = (value) => (value < 0 ? `(${number(value)})` : number(value));
const FORMULAS = {
  imdb_rnn: (now) => [`h = tanh(word + state) = tanh(${factor(now.word)} + ${factor(now.state)}) = ${number(now.h)}`],
  imdb_gru: (now, before) => [`h = z · h before + (1 − z) · n = ${factor(now.z)} · ${factor(before.h)} + ${factor(1 - now.z)} · ${factor(now.n)} = ${number(now.h)}`],
  imdb_lstm: (now, before) => [`c = f · c before + i · g = ${factor(now.f)} · ${factor(before.c)} + ${factor(now.i)} · ${factor(now.g)} = ${number(now.c)}`,
    `h = o · tanh(c) = ${factor(now.o)} · ${number(Math.tanh(now.c))} = ${number(now.h)}`],
};

export class Memory {
  constructor() {
    this.experiment = null; this.word = null; this.unit = null; this.direction = 0;
    this.ask = latest(async () => {
      const { experiment, review } = this;
      if (!experiment) return;
      const read = await request("/reviews/memory", { experiment, text: review.text });
      if (experiment === this.experiment && review === this.review && read.words.length) this.show(read);
    });
    $("#memory-word").addEventListener("input", (event) => this.choose(+event.target.value, this.unit));
    $("#memory-unit").addEventListener("input", (event) => this.choose(this.word, +event.target.value));
    $("#memory-direction").addEventListener("change", (event) => { this.direction = +event.target.value; this.draw(); });
    $("#memory-close").addEventListener("click", () => { const of = this.experiment; this.close(); $(`[data-memory="${of}"]`)?.focus(); });
    document.addEventListener("themechange", () => this.redraw());
    window.addEventListener("resize", debounce(() => this.redraw(), 100));
  }

  /** Open the memory of a model. */
  open(experiment) { this.experiment = experiment; this.word = null; this.unit = null; this.direction = 0; this.mark(); this.ask(); }
  close() { this.experiment = null; $("#memory").hidden = true; this.mark(); }
  mark() { for (const button of document.querySelectorAll("[data-memory]")) button.setAttribute("aria-pressed", button.dataset.memory === this.experiment); }

  /** Another review: its text, the server's words and predictions. Hidden while the model has no prediction. */
  update(review) {
    this.review = review;
    this.mark();
    const model = review.models.find(({ experiment }) => experiment === this.experiment);
    if (model?.recurrent && !model.unknown) this.ask(); else $("#memory").hidden = true;
  }

  show({ words, directions, pooling }) {
    const [title] = CELLS[this.experiment], model = this.review.models.find(({ experiment }) => experiment === this.experiment);
    this.words = words.map((at) => this.review.words[at]);
    this.scores = words.map((at) => model.prefix_scores[at]);
    this.directions = directions;
    this.word = Math.min(this.word ?? turning(this.scores), words.length - 1);
    $("#memory-title").textContent = `Memory of the ${title}`;
    $("#memory-text").textContent = `The ${title} reads a word at a time and carries its state to the next. Each row is one of its ${directions[0].h.length} units, each column a word. Blue is positive, orange negative. `
      + `The prediction is computed from ${POOLING[pooling]}${directions.length > 1 ? ", in both directions" : ""}.`;
    $("#memory-direction").replaceChildren(...directions.map((_, at) => make("option", { value: at, selected: at === this.direction }, at ? "backward: from the last word" : "forward: from the first word")));
    $("#memory-direction").parentElement.hidden = directions.length < 2;
    $("#memory-word").max = words.length - 1;
    $("#memory-unit").max = directions[0].h.length - 1;
    this.unit ??= busiest(directions[0].h);
    const first = $("#memory").hidden;
    $("#memory").hidden = false;
    this.draw();
    if (first) $("#memory").scrollIntoView({ block: "nearest" });
  }

  redraw() { if (!$("#memory").hidden) this.draw(); }

  draw() {
    const values = this.directions[this.direction], [, rows] = CELLS[this.experiment];
    $("#over-words").style.setProperty("--words", this.words.length);
    $("#memory-words").replaceChildren(...this.words.map((word) => make("span", {}, word)));
    curve($("#memory-curve"), this.scores);
    $("#memory-maps").replaceChildren(...rows.map(([letter, name, does]) => {
      const bounded = ["word", "state", "c"].includes(letter) ? Math.max(...values[letter].flat().map(Math.abs), 1e-9) : 1;
      const canvas = pixels(values[letter], signed(bounded));
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${name} of each unit at each word`);
      canvas.dataset.letter = letter;
      for (const event of ["pointerdown", "pointermove"]) canvas.addEventListener(event, (move) => this.point(canvas, move));
      return make("figure", {}, make("figcaption", {}, make("b", {}, name), ` ${does}`), make("div", { class: "map" }, canvas, make("i", { class: "row-mark" })));
    }));
    this.choose(this.word, this.unit);
  }

  point(canvas, { clientX, clientY }) {
    const box = canvas.getBoundingClientRect(), at = (share, count) => Math.max(0, Math.min(count - 1, Math.floor(share * count)));
    this.choose(at((clientX - box.left) / box.width, this.words.length), at((clientY - box.top) / box.height, canvas.height));
  }

  choose(word, unit) {
    Object.assign(this, { word, unit });
    const values = this.directions[this.direction], former = word + (this.direction ? 1 : -1);
    const at = (place) => Object.fromEntries(Object.entries(values).map(([letter, map]) => [letter, map[unit][place] ?? 0]));
    $("#over-words").style.setProperty("--word", word);
    $("#memory-maps").style.setProperty("--unit", (unit + 0.5) / values.h.length);
    $("#memory-word").value = word; $("#memory-unit").value = unit;
    $("#memory-word").setAttribute("aria-valuetext", this.words[word]);
    $("#memory-word-name").textContent = `${word + 1} of ${this.words.length}: “${this.words[word]}”`;
    $("#memory-unit-name").textContent = `${unit + 1} of ${values.h.length}`;
    $("#memory-numbers").textContent = FORMULAS[this.experiment](at(word), at(former)).join("\n");
    const score = this.scores[word], points = 100 * (score - this.scores[word - 1]);
    $("#memory-moves").textContent = `If the review ended after “${this.words[word]}”: ${percent(score)} positive${word ? `, ${Math.abs(points).toFixed(1)} points ${points < 0 ? "less" : "more"} than before this word` : ""}.`;
  }
}

/** The unit whose state differs most over the words. */
function busiest(rows) {
  const ranges = rows.map((row) => Math.max(...row) - Math.min(...row));
  return ranges.indexOf(Math.max(...ranges));
}

/** The word after which the prediction moves most. */
function turning(scores) {
  const moves = scores.map((score, at) => (at ? Math.abs(score - scores[at - 1]) : 0));
  return moves.indexOf(Math.max(...moves));
}

// Ready-made starting points with one question each. A lesson is a link: its settings, what it hides, and its name.

import { $, $$, make, notice } from "../lib.js";
import { view } from "./state.js";

/** Controls that no lesson needs: what is left can answer the question. */
const HIDDEN = "regularization.regularization rate.problem type.data set.own data.ratio.noise.batch size.regenerate.discretize";

/** Each lesson: its title, the settings of its link, the question, and what to try and to look for. */
export const LESSONS = {
  xor: {
    title: "XOR needs a hidden layer", link: { problem: "xor", layers: "none", hide: `${HIDDEN}.learning rate.activation` },
    question: "Without a hidden layer, the network draws one straight border. Can it separate the four corners?",
    look: "Run it: the loss stays near 0.5. Then add a hidden layer with + and give it four neurons: two borders and more can be combined.",
  },
  overfitting: {
    title: "Overfitting", link: { ratio: 10, noise: 50, layers: "8-tanh.8-tanh", lr: 0.1, test: true, hide: `${HIDDEN}.activation`.replace(".ratio.noise", "") },
    question: "Only 10 % of the noisy points are trained on. What does a small train loss say about the test points?",
    look: "Run it for 300 epochs: the train loss falls, the test loss falls at first and then rises. The map bends around single points. Train on 90 % and run again.",
  },
  relu: {
    title: "A dead ReLU", link: { layers: "4-relu.2-relu", lr: 3, initialization: 3, hide: HIDDEN },
    question: "After a few steps that were too large, the neurons of the last hidden layer output 0 everywhere. Why does training not revive them?",
    look: "Run it for 100 epochs: the maps of the last layer are blank and the loss hardly moves any more, because where ReLU is flat its slope, and with it the gradient, is 0. Choose tanh, or a learning rate of 0.03, and reset.",
  },
  sparse: {
    title: "L1 removes inputs", link: { features: "0.1.2.3.4.5.6", layers: "4-tanh", regularization: "l1", rate: 0.01, hide: HIDDEN.replace("regularization.regularization rate.", "") },
    question: "All seven features are connected. Which of them does a circle need?",
    look: "Run it for 300 epochs: L1 sets most weights to exactly 0, and X₁² and X₂² are left. Choose L2 and reset: weights become small, and none becomes 0.",
  },
  rate: {
    title: "A learning rate that is too high", link: { lr: 10, hide: `${HIDDEN}.activation` },
    question: "The learning rate is 10. Does a longer step reach the minimum sooner?",
    look: "Run it: the loss jumps and stays near 1, as bad as guessing. Choose 0.03 and reset: it falls below 0.1 within 100 epochs.",
  },
  perceptron: {
    title: "The perceptron converges", link: { problem: "gauss", layers: "none", rule: "rosenblatt", hide: `${HIDDEN}.activation`.replace(".data set", "") },
    question: "Rosenblatt’s rule changes weights only after a mistake. When does it stop?",
    look: "Step through the epochs: once every training point is right, no weight changes any more. On XOR it never stops, since no straight border exists.",
  },
  zero: {
    title: "All weights start at 0", link: { init_zero: true, hide: `${HIDDEN}.learning rate.activation` },
    question: "Every weight starts at 0. Why does the network learn nothing?",
    look: "Run it: the maps stay blank. A weight’s gradient contains the weights above it and the outputs below it, and both are 0. Reset draws no new weights here: all are 0 again.",
  },
};

const linkOf = (name) => `#${new URLSearchParams({ ...LESSONS[name].link, lesson: name })}`;

/** The buttons of all lessons, and the buttons of an open one. */
export function bindLessons() {
  $("#lesson-list").append(...Object.entries(LESSONS).map(([name, { title }]) => make("a", { class: "button", href: linkOf(name), "data-lesson": name }, title)));
  $("#lesson-copy").addEventListener("click", async () => {
    // Of a lesson as it was opened, or of the settings as they are now, at epoch 0.
    const parameters = new URLSearchParams(location.hash.slice(1));
    for (const key of ["epoch", "running", "then"]) parameters.delete(key);
    const link = `${location.origin}${location.pathname}#${parameters}`;
    try {
      await navigator.clipboard.writeText(link);
      notice("The link is copied. It opens this page at epoch 0, with these settings and these controls.");
    } catch { notice(`Copy this link: ${link}`); }
  });
}

/** Show the question of the open lesson, if there is one. */
export function showLesson() {
  const lesson = Object.hasOwn(LESSONS, view.lesson) ? LESSONS[view.lesson] : null;
  $("#lesson").hidden = !lesson;
  for (const link of $$("[data-lesson]")) link.setAttribute("aria-current", link.dataset.lesson === view.lesson);
  if (!lesson) return;
  $("#lesson-title").textContent = lesson.title;
  $("#lesson-question").textContent = lesson.question;
  $("#lesson-look").textContent = lesson.look;
}

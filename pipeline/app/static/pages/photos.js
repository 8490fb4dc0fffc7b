import { $, ask, make, notice } from "/static/lib.js";
import { bars, latest, origin, percent, pixels, signed, untrained } from "/static/pages/trained.js";

const LARGEST = 3 * 2 ** 20, SIDE = 1280; // a larger file is scaled to SIDE pixels before it is sent
const drop = $("#drop");

const show = latest(async (file) => {
  if (!/^image\/(jpeg|png)$/.test(file.type)) throw new Error(`${file.name}: expected a JPEG or PNG.`);
  URL.revokeObjectURL($("#shown").src);
  $("#shown").src = URL.createObjectURL(file);
  $("#shown").hidden = false;
  $("#answers").replaceChildren(make("p", { class: "faint" }, "Looking at it …"));
  try {
    const told = await ask("/photos/answer", file.size > LARGEST ? await smaller(file) : file, { type: "application/octet-stream" });
    $("#answers").replaceChildren(...told.models.map((model) => (model.missing ? untrained(model.title, model) : card(model))));
  } catch (error) {
    $("#answers").replaceChildren(make("p", { class: "faint" }, error.message));
    throw error;
  }
});

async function smaller(file) {
  const image = await createImageBitmap(file);
  const scale = Math.min(1, SIDE / Math.max(image.width, image.height));
  const canvas = new OffscreenCanvas(Math.round(image.width * scale), Math.round(image.height * scale));
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });
}

function card(model) {
  const most = Math.max(...model.rests.flat().map(Math.abs), 0.01);
  const seen = make("img", { alt: "What the net sees", src: `data:image/png;base64,${model.seen}` });
  return make("article", { class: "card stack answer", "data-experiment": model.title, "data-label": model.label },
    make("h2", {}, model.title), make("div", { class: "row" }, make("span", { class: "big" }, model.label), make("span", { class: "number" }, percent(model.probability))),
    bars(model.probabilities), make("div", { class: "rests" }, seen, pixels(model.rests, signed(most))),
    make("small", {}, "As the net sees it. Blue: a part that speaks for the answer. Orange: one that speaks against it (log-odds lost when covered)."), origin(model));
}

$("#file").onchange = (event) => { if (event.target.files[0]) show(event.target.files[0]); };
for (const name of ["dragover", "dragenter"]) document.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
for (const name of ["dragleave", "drop"]) document.addEventListener(name, (event) => { event.preventDefault(); drop.classList.remove("over"); });
document.addEventListener("drop", (event) => { const [file] = event.dataTransfer.files; if (file) show(file); else notice("That is no file.", { error: true }); });
document.addEventListener("paste", (event) => { const [file] = event.clipboardData.files; if (file) show(file); });

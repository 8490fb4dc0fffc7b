import { $, make, notice, request } from "/static/lib.js";
import { bars, latest, origin, percent, pixels, signed, untrained } from "/static/pages/trained.js";

const MAX_BYTES = 3 * 2 ** 20, MAX_PIXELS = 4e6, SIDE = 1280; // larger pictures are scaled to SIDE pixels before they are sent
const drop = $("#drop");
let models = [];

const show = latest(async (file) => {
  if (!/^image\/(jpeg|png)$/.test(file.type)) throw new Error(`${file.name}: expected a JPEG or PNG, got ${file.type || "another kind of file"}. Choose another file.`);
  URL.revokeObjectURL($("#shown").src);
  $("#shown").src = URL.createObjectURL(file);
  $("#shown").hidden = false;
  $("#answers").replaceChildren(make("p", { class: "faint" }, "Classifying …"));
  try {
    ({ models } = await request("/photos/predict", await scaled(file), { type: "application/octet-stream" }));
    draw();
  } catch (error) {
    models = [];
    $("#answers").replaceChildren(make("p", { class: "faint" }, error.message));
    throw error;
  }
});

/** The file, scaled down if it is large. A picture that the browser cannot decode is left to the server's error. */
async function scaled(file) {
  const image = await createImageBitmap(file).catch(() => null);
  if (!image || (file.size <= MAX_BYTES && image.width * image.height <= MAX_PIXELS)) return file;
  const scale = Math.min(1, SIDE / Math.max(image.width, image.height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(image.width * scale)), Math.max(1, Math.round(image.height * scale)));
  const context = canvas.getContext("2d");
  context.fillStyle = "white"; // as the server shows transparency, which JPEG lacks
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });
}

const draw = () => $("#answers").replaceChildren(...models.map((model) => (model.train_command ? untrained(model.title, model) : card(model))));
document.addEventListener("themechange", () => { if (models.length) draw(); }); // attributions have the theme's colours

function card(model) {
  const largest = Math.max(...model.attribution.flat().map(Math.abs), 0.01);
  const input = make("img", { alt: "The network's input", src: `data:image/png;base64,${model.input}` });
  return make("article", { class: "card stack answer", "data-experiment": model.title, "data-label": model.label },
    make("h2", {}, model.title), make("div", { class: "row" }, make("span", { class: "big" }, model.label), make("span", { class: "number" }, percent(model.probability))),
    bars(model.probabilities), make("div", { class: "attribution" }, input, pixels(model.attribution, signed(largest))),
    make("small", {}, "The network's input. Blue regions speak for the predicted class, orange ones against it (log-odds lost when the region is covered)."), origin(model));
}

$("#file").onchange = (event) => { if (event.target.files[0]) show(event.target.files[0]); };
for (const name of ["dragover", "dragenter"]) document.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
for (const name of ["dragleave", "drop"]) document.addEventListener(name, (event) => { event.preventDefault(); drop.classList.remove("over"); });
document.addEventListener("drop", (event) => { const [file] = event.dataTransfer.files; if (file) show(file); else notice("Expected a file, got something else. Drop a JPEG or PNG.", { error: true }); });
document.addEventListener("paste", (event) => { const [file] = event.clipboardData.files; if (file) show(file); });

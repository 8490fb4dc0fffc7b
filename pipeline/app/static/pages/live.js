import { $, ask, colour, make, notice, sharp } from "/static/lib.js";

let watched = null, next = 0, points = [], runs = [], wanted = null;
const trying = (work) => async (event) => { event?.preventDefault(); try { await work(); } catch (error) { notice(error.message, { error: true }); } };

async function list() {
  const told = await ask("/live/runs");
  runs = told.runs;
  if (!$("#experiment").children.length) $("#experiment").append(...told.experiments.map((name) => make("option", {}, name)));
  $("#go").disabled = told.busy;
  $("#stop").disabled = !told.busy;
  $("#trouble").hidden = !told.trouble;
  $("#trouble").textContent = told.trouble;
  if (wanted && runs[0] && !wanted.has(runs[0].name)) { wanted = null; watch(runs[0].name); }
  if (!watched && runs.length) watch(runs[0].name);
  $("#runs").replaceChildren(...runs.map((run) => make("tr", { "data-run": run.name, "data-status": run.status },
    make("td", {}, make("button", { type: "button", class: "quiet", "aria-pressed": run.name === watched, onclick: () => watch(run.name) }, run.name)),
    make("td", {}, run.status), make("td", { class: "number" }, headline(run.metrics)))));
  const run = runs.find((one) => one.name === watched);
  if (run) { $("#resume").hidden = !["interrupted", "failed"].includes(run.status) || told.busy; $("#watch").dataset.status = run.status; }
}
function headline(metrics) {
  for (const name of ["accuracy", "exact_match", "fid"]) {
    const value = metrics?.[`test/${name}`];
    if (value != null) return name === "fid" ? `fid ${value.toFixed(3)}` : `${(100 * value).toFixed(2)} %`;
  }
  return "";
}
function watch(name) {
  if (name === watched) return;
  watched = name; next = 0; points = [];
  $("#watch").hidden = false; $("#opened").hidden = true;
  $("#name").textContent = name;
  $("#share").style.setProperty("--share", 0);
  $("#state").textContent = "";
  trying(async () => { await follow(); await list(); })();
}
let following = false;
async function follow() {
  if (!watched || following) return; // two at once would fetch the same events twice
  following = true;
  try { await fetchEvents(); } finally { following = false; }
}
async function fetchEvents() {
  const name = watched, told = await ask(`/live/events?run=${encodeURIComponent(name)}&start=${next}`);
  if (name !== watched) return;
  next = told.next;
  points.push(...told.events);
  const last = points.findLast((event) => event.total);
  if (last) {
    $("#share").style.setProperty("--share", last.step / last.total);
    $("#state").textContent = `epoch ${last.epoch + 1}, step ${last.step.toLocaleString()} of ${last.total.toLocaleString()}`;
  }
  draw();
}
function draw() {
  const epochs = (name) => points.filter((event) => event.metrics?.[name] != null).map((event) => [event.step ?? 0, event.metrics[name]]);
  chart($("#loss"), { training: points.filter((event) => event.loss != null).map((event) => [event.step, event.loss]), validation: epochs("val/loss") });
  const score = ["val/accuracy", "val/exact_match"].find((name) => epochs(name).length);
  chart($("#score"), score ? { training: epochs(score.replace("val", "train")), validation: epochs(score) } : {});
}
/** Lines over the steps; the first is faint. */
function chart(canvas, lines) {
  const { context, width, height } = sharp(canvas);
  const all = Object.values(lines).flat();
  context.font = "11px system-ui"; context.fillStyle = colour("--faint");
  if (!all.length) { context.fillText("nothing to show yet", 8, 20); return; }
  const [low, high] = [Math.min(...all.map((p) => p[1])), Math.max(...all.map((p) => p[1]))], end = Math.max(...all.map((p) => p[0]), 1);
  const x = (step) => 40 + (width - 48) * step / end, y = (value) => 8 + (height - 28) * (high > low ? (high - value) / (high - low) : 0.5);
  for (const value of [low, high]) context.fillText(value.toPrecision(3), 0, y(value) + 4);
  Object.entries(lines).forEach(([name, line], at) => {
    context.strokeStyle = context.fillStyle = colour(at ? "--orange" : "--blue");
    context.lineWidth = at ? 2 : 1.3;
    context.beginPath();
    for (const [step, value] of line) context.lineTo(x(step), y(value));
    context.stroke();
    if (at) for (const [step, value] of line) { context.beginPath(); context.arc(x(step), y(value), 2.5, 0, 7); context.fill(); }
    if (line.length) context.fillText(name, 44 + 70 * at, height - 4);
  });
}
const launch = (address, body) => trying(async () => { wanted = new Set(runs.map((run) => run.name)); await ask(address, body()); notice("It starts: a few seconds."); await list(); });
$("#start").addEventListener("submit", launch("/live/start", () => ({ experiment: $("#experiment").value, epochs: Number($("#epochs").value) || null })));
$("#resume").onclick = trying(async () => { await ask("/live/resume", { run: watched }); await list(); });
$("#stop").onclick = trying(async () => { await ask("/live/stop", {}); notice("Stopping: it keeps what it has learned."); });
$("#mlflow").onclick = trying(async () => {
  const run = watched;
  let told = await ask("/live/mlflow", { run });
  for (; !told.ready && run === watched; told = await ask("/live/mlflow", { run })) {
    notice("MLflow starts: half a minute at most.");
    await new Promise((done) => setTimeout(done, 1000));
  }
  if (run !== watched) return;
  notice("");
  $("#opened").href = told.address;
  $("#opened").hidden = false;
});
document.addEventListener("themechange", draw);
const tick = async () => { try { await list(); await follow(); } catch (error) { notice(error.message, { error: true }); } setTimeout(tick, 1000); };
tick();

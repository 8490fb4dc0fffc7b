import { $, clearNotice, make, notice, request } from "/static/lib.js";
import { chart } from "/static/pages/live_chart.js";

let watched = null, next = 0, events = [], runs = [];
let awaited = location.hash === "#started"; // the run that this page, or a button elsewhere, has just started
const reporting = (work) => async (event) => { event?.preventDefault(); try { await work(); } catch (error) { notice(error.message, { error: true }); } };

async function list() {
  const state = await request("/live/runs");
  runs = state.runs;
  if (!$("#experiment").children.length) $("#experiment").append(...state.experiments.map((name) => make("option", {}, name)));
  $("#go").disabled = state.busy;
  $("#stop").disabled = !state.busy;
  $("#trouble").hidden = !state.failure;
  $("#trouble").textContent = state.failure;
  if (awaited && state.started_run) { awaited = false; history.replaceState(null, "", "/live"); watch(state.started_run); }
  if (awaited && !state.busy) awaited = false; // it ended before it had a run
  if (!watched && !awaited && runs.length) watch(runs[0].name);
  showRuns();
  const run = runs.find(({ name }) => name === watched);
  if (run) { $("#resume").hidden = !["interrupted", "failed"].includes(run.status) || state.busy; $("#watch").dataset.status = run.status; }
  showProgress();
}
let shown = ""; // the rows of the list, as JSON
/** Rebuild the list only when it has changed: this takes the focus, a selection and a half-done click with it. */
function showRuns() {
  const rows = JSON.stringify([watched, runs.map(({ name, status, metrics }) => [name, status, headline(metrics)])]);
  if (rows === shown) return;
  shown = rows;
  const focused = document.activeElement.closest("#runs tr")?.dataset.run;
  if (!runs.length) $("#runs").replaceChildren(make("tr", {}, make("td", { colspan: 3, class: "faint" }, "No runs yet.")));
  else $("#runs").replaceChildren(...runs.map((run) => make("tr", { "data-run": run.name, "data-status": run.status },
    make("td", {}, make("button", { type: "button", class: "quiet", "aria-pressed": run.name === watched, onclick: () => { awaited = false; watch(run.name); } }, run.name)),
    make("td", {}, run.status), make("td", { class: "number" }, headline(run.metrics)))));
  if (focused) $(`#runs tr[data-run="${CSS.escape(focused)}"] button`)?.focus({ preventScroll: true });
}
function headline(metrics) {
  for (const name of ["accuracy", "exact_match", "fid"]) {
    const value = metrics?.[`test/${name}`];
    if (value != null) return name === "fid" ? `FID ${value.toFixed(3)}` : `${(100 * value).toFixed(2)} %`;
  }
  return "";
}
function watch(name) {
  if (name === watched) return;
  watched = name; next = 0; events = [];
  $("#watch").hidden = false; $("#opened").hidden = true;
  $("#name").textContent = name;
  $("#share").style.setProperty("--share", 0);
  $("#state").textContent = "";
  reporting(async () => { await follow(); await list(); })();
}
let following = false;
async function follow() {
  if (!watched || following) return; // two requests at once would fetch the same events twice
  following = true;
  try { await fetchEvents(); } finally { following = false; }
}
async function fetchEvents() {
  const name = watched, reply = await request(`/live/events?run=${encodeURIComponent(name)}&start=${next}`);
  if (name !== watched) return;
  next = reply.next;
  events.push(...reply.events);
  showProgress();
  draw();
}
/** Steps are logged at intervals: of a finished run the last logged step is not the last step. */
function showProgress() {
  const last = events.findLast((event) => event.total), status = runs.find(({ name }) => name === watched)?.status;
  if (!last) { $("#state").textContent = status ?? ""; return; }
  const finished = status === "finished", early = finished && last.step < 0.9 * last.total; // stopped early: fewer steps than planned
  const step = finished && !early ? last.total : last.step, fraction = finished ? 1 : last.step / last.total;
  $("#share").style.setProperty("--share", fraction);
  $("#share").parentElement.setAttribute("aria-valuenow", Math.round(100 * fraction));
  const steps = `step ${step.toLocaleString("en")} of ${last.total.toLocaleString("en")}`;
  $("#state").textContent = `${status ? `${status}, ` : ""}epoch ${last.epoch + 1}, ${steps}${early ? " (stopped early)" : ""}`;
}
function draw() {
  const epochs = (name) => events.filter((event) => event.metrics?.[name] != null).map((event) => [event.step ?? 0, event.metrics[name]]);
  const losses = events.filter((event) => event.loss != null).map((event) => [event.step, event.loss]);
  const names = [...new Set(events.flatMap((event) => Object.keys(event.metrics ?? {})))];
  const score = ["val/accuracy", "val/exact_match"].find((name) => names.includes(name));
  chart($("#loss"), { training: losses, validation: epochs("val/loss") });
  $("#score-title").textContent = score ? score.slice(4).replace("_", " ") : "Other metrics";
  if (score) { chart($("#score"), { training: epochs(score.replace("val", "train")), validation: epochs(score) }); return; }
  // A GAN has no accuracy: the losses of its two networks are drawn.
  const others = names.filter((name) => !["train/loss", "val/loss"].includes(name)).slice(0, 2);
  chart($("#score"), Object.fromEntries(others.map((name) => [name, epochs(name)])));
}
$("#start").addEventListener("submit", reporting(async () => {
  await request("/live/start", { experiment: $("#experiment").value, epochs: Number($("#epochs").value) || null });
  awaited = true;
  notice("Starting: this takes a few seconds.");
  await list();
}));
$("#resume").onclick = reporting(async () => { await request("/live/resume", { run: watched }); await list(); });
$("#stop").onclick = reporting(async () => { await request("/live/stop", {}); notice("Stopping: the run saves its state and can be resumed."); });
$("#mlflow").onclick = reporting(async () => {
  const run = watched;
  let reply = await request("/live/mlflow", { run });
  for (; !reply.ready && run === watched; reply = await request("/live/mlflow", { run })) {
    notice("MLflow is starting: this takes up to half a minute.");
    await new Promise((done) => setTimeout(done, 1000));
  }
  if (run !== watched) return;
  notice("");
  $("#opened").href = reply.address;
  $("#opened").hidden = false;
});
document.addEventListener("themechange", draw);
addEventListener("resize", draw);
const refresh = async () => {
  try { await list(); await follow(); clearNotice("refresh"); } catch (error) { notice(error.message, { error: true, source: "refresh" }); }
  setTimeout(refresh, 1000);
};
refresh();

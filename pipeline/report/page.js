// Sorts the table by a clicked column, opens and closes all sections, and opens the section that a link names.
const number = (cell) => Number(cell.dataset.value);
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), body = head.closest("table").tBodies[0];
    const descending = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const cell = (row) => row.cells[head.cellIndex];
    const compare = (a, b) => (cell(a).dataset.value ? number(cell(a)) - number(cell(b)) : cell(a).textContent.localeCompare(cell(b).textContent));
    body.append(...[...body.rows].sort((a, b) => (descending ? -compare(a, b) : compare(a, b))));
  });
}
for (const button of document.querySelectorAll("button[data-open]")) {
  button.addEventListener("click", () => {
    for (const section of document.querySelectorAll("details.experiment")) section.open = button.dataset.open === "true";
  });
}
// Browsers open a closed section by themselves only for a target inside it.
const openTarget = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) { target.open = true; target.scrollIntoView(); }
};
addEventListener("hashchange", openTarget);
openTarget();

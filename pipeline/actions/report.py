"""Write the results pages from the committed results: docs/results.md, README's table and an HTML file."""

import base64
import json
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.actions import output_file
from pipeline.actions.record import ERRORS
from pipeline.config import load_config, resolve
from pipeline.config.source import project_of
from pipeline.errors import DataError
from pipeline.files import atomic_write
from pipeline.report import losses
from pipeline.runs import replays, results

if TYPE_CHECKING:  # importing the page costs numpy and torch
    from pipeline.report.sections import Recorded

PAGE = Path("reports/index.html")
MARKS = "<!-- results: written by `pipeline report` -->", "<!-- end of results -->"


def write(root: Path, names: Sequence[str] = (), page: Path = PAGE) -> list[Path]:
    """Write the pages of all committed results; with `names`, only the HTML page of those experiments.

    In a project of one's own that is the HTML page and README's table: the other pages are about the lecture.

    Raises: DataError if there are no results, or none of a named experiment.
    """
    from pipeline.report import charts, claims, figures, gradient_check, markdown
    from pipeline.report import page as pages

    entries = results.committed(root)
    if lacking := set(names) - {entry["experiment"] for entry in entries}:
        raise DataError(
            f"{root / results.RESULTS}: no results of {', '.join(sorted(lacking))}. Make them with `dvc repro`."
        )
    own = project_of(root) is not None
    rows = [] if names or own else claims.table(entries, partial(gradient_check.cached, root / ".cache"))
    entries = [entry for entry in entries if not names or entry["experiment"] in names]
    output_file.check(root / page, "--page")
    data = {name: recorded(name, group, root) for name, group in markdown.grouped(entries).items()}
    target = _write(root / page, pages.html(entries, rows, data))
    if names:
        return [target]
    listed = list(markdown.grouped(entries)) if own else markdown.README_ROWS
    _fill(root / "README.md", markdown.readme_table(entries, root, listed))
    if own:
        return [target]
    figures.activations(_parent(root / "docs/images/activations.png"))
    _write(root / "docs/images/costs.svg", charts.standalone(charts.costs(pages.compared(entries))))
    text = markdown.results_markdown(entries, claims.markdown(rows), replays.read(root))
    return [target, _write(root / "docs/results.md", text)]


def _fill(readme: Path, table: str) -> None:
    """Replace the text between the two marks in README, if it has them."""
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    before, start, rest = text.partition(f"{MARKS[0]}\n")
    _, end, after = rest.partition(MARKS[1])
    if start and end:
        _write(readme, f"{before}{start}{table}{end}{after}")


def recorded(name: str, entries: Sequence[results.Result], root: Path) -> "Recorded":
    """The recorded data of an experiment beside its metrics; only DVC stores errors, which show samples of the data."""
    from pipeline.report.markdown import described
    from pipeline.report.sections import Recorded

    details = results.read(results.path_of(name, root)).get("details")
    samples = details.pop("samples", None) if details else None
    curves = {entry["seed"]: results.rows(entry["history"]) for entry in entries if entry.get("history")}
    known = (root / f"conf/experiment/{name}.yaml").is_file()
    return Recorded(
        description=described(name, root),
        curves=curves,
        loss_note=_loss_note(name, curves.values(), len((details or {}).get("labels", ())), root) if known else "",
        details=details,
        errors=_read(root / "evaluations" / name / str(entries[0]["seed"]) / ERRORS),
        samples=base64.b64decode(samples) if samples else None,
    )


def _loss_note(name: str, curves: Iterable[Sequence[losses.Row]], classes: int, root: Path) -> str:
    """Why the training loss stands above the validation loss; empty where it does not."""
    if not losses.stands_above(list(curves)):
        return ""
    return losses.explanation(resolve(load_config(f"experiment={name}", root=root)), classes)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text()) if path.is_file() else None
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}). Make it again with `dvc repro`.") from error


def _write(path: Path, text: str) -> Path:
    atomic_write(_parent(path), text)
    return path


def _parent(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path

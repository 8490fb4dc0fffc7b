"""The page of results: whole in one file, true to its entries, open about what is missing."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.actions import report
from pipeline.errors import DataError
from pipeline.runs import results as results_files
from pipeline.runs.results import Result

VOID = {"meta", "br", "img", "circle", "line", "polyline"}


class Checker(HTMLParser):
    """Remembers what is open, what is asked of the network, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.asked: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.asked += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def run(seed: int, accuracy: float, **more: Any) -> Result:
    result = {
        "seed": seed,
        "metrics": {"test/accuracy": accuracy, "test/loss": 0.1},
        "dataset": {"name": "imdb", "digest": "d" * 64, "rows": {}},
        "config_digest": "c" * 64,
        "weights_digest": "w" * 64,
        "name": f"mine-s{seed}",
        "commit": "e" * 40,
        "dirty": False,
        "cpu_s": 10.0,
        "wall_s": 11.0,
        "hardware": "<CPU>",
        **more,
    }
    return cast(Result, result)


def write(root: Path, *runs: Result, details: dict[str, Any] | None = None, experiment: str = "mine") -> None:
    path = results_files.path_of(experiment, root)
    path.parent.mkdir(exist_ok=True)
    path.write_text(results_files.as_text(results_files.content_of(experiment, runs, details)))


@pytest.fixture
def results(project: Path) -> Path:
    write(project, run(0, 0.5), run(1, 0.75))
    return project


def read(path: Path) -> Checker:
    checker = Checker()
    checker.feed(path.read_text())
    assert not checker.open
    return checker


def test_a_page_without_curves_says_which_command_makes_them(results: Path) -> None:
    (page,) = report.write(results, ["mine"])
    told = read(page)
    assert "accuracy 62.50 ± 17.68 %" in told.text  # by hand: mean of 50 and 75, sd 25 / sqrt 2
    assert "pipeline train experiment=mine seed=0 --record" in told.text
    assert "pipeline evaluate models/mine-0 --record" in told.text
    assert not [link for link in told.asked if not link.startswith("#")]
    assert "Not recorded here: the confusion matrix" in told.text


def test_a_page_shows_what_was_recorded_and_asks_nothing_of_the_network(results: Path) -> None:
    details = {
        "labels": ["no", "<yes>"],
        "confusion": [{"actual": "no", "predicted": "<yes>", "count": 7}],
    }
    errors = {
        "texts": [{"true": "no", "answer": "<yes>", "probability": 0.9, "text": "<script>alert(1)</script>"}],
        "explained": [{"true": "no", "answer": "no", "probability": 0.8, "words": [["bad", 2.0], ["good", -1.0]]}],
    }
    history = {"epoch": [1, 2], "val/loss": [2.0, 1.0]}
    write(results, run(0, 0.5, history=history), run(1, 0.75), details=details)
    (results / "evaluations/mine/0").mkdir(parents=True)
    (results / "evaluations/mine/0/errors.json").write_text(json.dumps(errors))
    (page,) = report.write(results, ["mine"], Path("reports/some.html"))
    told = read(page)
    source = page.read_text()
    assert page == results / "reports/some.html"
    assert "<script>alert(1)" not in source
    assert "<script>alert(1)</script>" in told.text
    assert "7 of 7 are wrong." in told.text
    assert "no taken for <yes> (7)" in told.text
    assert source.count('<polyline class="b"') == 1
    assert re.search(r'style="--error:1.000">7', source)  # the worst cell is the darkest
    assert re.search(r'class="for" style="--s:100" title="\+2.00">bad<', source)
    assert re.search(r'class="against" style="--s:50" title="-1.00">good<', source)
    assert not [link for link in told.asked if not link.startswith(("#", "data:"))]
    assert not re.search(r"url\(|@import|https?://(?!www.w3.org/2000/svg)", source)


def test_what_git_does_not_hold_is_said_once_and_an_experiment_with_it_says_nothing(results: Path) -> None:
    history = {"epoch": [1, 2], "val/loss": [2.0, 1.0]}
    details = {"labels": ["no", "yes"], "confusion": [{"actual": "no", "predicted": "no", "count": 7}]}
    write(results, run(0, 0.5, history=history), details=details)
    (page,) = report.write(results, ["mine"])
    told = read(page).text
    assert told.count("samples with the worst errors are not in the repository") == 1
    assert "Not recorded here" not in told
    (results / "evaluations/mine/0").mkdir(parents=True)
    (results / "evaluations/mine/0/errors.json").write_text("{}")
    (page,) = report.write(results, ["mine"])
    assert "not in the repository" not in read(page).text


def test_a_training_loss_above_the_validation_loss_is_explained_from_the_configuration(project: Path) -> None:
    (project / "conf").symlink_to(Path(__file__).parents[2] / "conf")
    history = {"epoch": [1, 2], "train/loss": [2.0, 1.0], "val/loss": [1.0, 0.5]}
    write(project, run(0, 0.5, history=history), experiment="mlp_mnist")
    (page,) = report.write(project, ["mlp_mnist"])
    assert "Training loss stands above validation loss here." in read(page).text
    assert "dropout" in read(page).text
    write(project, run(0, 0.5, history=history | {"train/loss": [0.1, 0.1]}), experiment="mlp_mnist")
    (page,) = report.write(project, ["mlp_mnist"])
    assert "Training loss stands above" not in read(page).text


def test_a_measure_that_not_every_seed_has_is_left_out(results: Path) -> None:
    more = {"test/roc_auc": 0.9, **run(0, 0.5)["metrics"]}
    write(results, run(0, 0.5, metrics=more), run(1, 0.75))
    (page,) = report.write(results, ["mine"], Path("reports/some.html"))
    assert "roc auc" not in page.read_text()
    assert "loss 0.1000 ± 0.0000" in page.read_text()


def test_an_experiment_without_results_and_a_torn_file_are_named(results: Path) -> None:
    with pytest.raises(DataError, match="no results of yours"):
        report.write(results, ["mine", "yours"])
    (results / "evaluations/mine/0").mkdir(parents=True)
    (results / "evaluations/mine/0/errors.json").write_text("{")
    with pytest.raises(DataError, match=r"errors.json: not JSON"):
        report.write(results, ["mine"])

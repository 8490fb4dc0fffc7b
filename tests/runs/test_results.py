"""The committed results: one file an experiment, a summary that DVC shows, text that git can compare."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.runs import results
from pipeline.runs.results import Result

SCALARS = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False) | st.text(max_size=20)
TREES = st.recursive(SCALARS, lambda node: st.lists(node) | st.dictionaries(st.text(max_size=8), node), max_leaves=30)


def run(seed: int, accuracy: float) -> Result:
    return {"experiment": "net", "seed": seed, "metrics": {"test/accuracy": accuracy, f"only/{seed}": 1.0}}


def write(root: Path, *runs: Result) -> Path:
    path = results.path_of("net", root)
    path.parent.mkdir(exist_ok=True)
    path.write_text(results.as_text(results.content_of("net", runs, None)))
    return path


def test_the_summary_holds_mean_deviation_and_count_of_what_all_seeds_have(tmp_path: Path) -> None:
    path = write(tmp_path, run(1, 0.5), run(0, 0.25))
    content = json.loads(path.read_text())
    # By hand: mean 3/8, sample standard deviation .25 / sqrt 2.
    assert content["summary"] == {"test/accuracy": {"mean": 0.375, "std": pytest.approx(0.25 / 2**0.5), "n": 2}}
    assert [one["seed"] for one in content["runs"]] == [0, 1]
    assert list(content) == ["experiment", "summary", "runs"]


def test_one_seed_has_no_deviation() -> None:
    assert results.summary([{"a": 2.0}]) == {"a": {"mean": 2.0, "std": 0.0, "n": 1}}


def test_a_result_is_found_by_experiment_and_seed(tmp_path: Path) -> None:
    write(tmp_path, run(0, 0.5), run(1, 0.75))
    found = results.find("net-1", tmp_path)
    assert found is not None
    assert found["metrics"]["test/accuracy"] == 0.75
    assert results.find("net-2", tmp_path) is None
    assert results.find("other-0", tmp_path) is None
    assert [one["experiment"] for one in results.committed(tmp_path)] == ["net", "net"]


@given(TREES)
def test_any_content_is_read_back_as_it_was_written(tree: Any) -> None:
    assert json.loads(results.as_text(tree)) == tree


def test_a_list_of_numbers_stays_on_one_line() -> None:
    text = results.as_text({"history": {"epoch": list(range(200)), "loss": [0.5] * 200}})
    assert len(text.splitlines()) == 6


@given(st.lists(st.dictionaries(st.sampled_from(["epoch", "a", "b"]), st.floats(0, 1), min_size=1), min_size=1))
def test_curves_as_columns_are_the_same_rows_again(rows: list[dict[str, float]]) -> None:
    assert results.rows(results.columns(rows)) == rows


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"runs": 3}', '{"experiment": "net", "runs": [{"seed": 0}, {"seed": 0}]}']
)
def test_a_torn_or_foreign_file_is_named(tmp_path: Path, text: str) -> None:
    path = results.path_of("net", tmp_path)
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(DataError, match=r"results/net.json.*git checkout"):
        results.read(path)


def test_no_results_at_all_is_an_error_that_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="dvc repro"):
        results.committed(tmp_path)


def test_correct_samples_are_packed_into_bits_and_read_back() -> None:
    right = "1101" * 5 + "0"
    entry: Result = {"right": results.pack(right), "dataset": {"rows": {"test": len(right)}}}
    found = results.right_samples(entry)
    assert found is not None
    assert found.tolist() == [digit == "1" for digit in right]
    assert len(results.pack("1" * 10_000)) < 1700
    assert results.right_samples({"dataset": {"rows": {"test": 4}}}) is None


def test_results_agree_if_their_weights_and_shared_metrics_do() -> None:
    one: Result = {"weights_digest": "w", "metrics": {"a": 1.0, "b": 2.0}}
    assert results.agree(one, {"weights_digest": "w", "metrics": {"a": 1.0, "c": 3.0}})
    assert not results.agree(one, {"weights_digest": "w", "metrics": {"a": 1.5, "b": 2.0}})
    assert not results.agree(one, {"weights_digest": "v", "metrics": {"a": 1.0}})
    assert not results.agree(one, {"weights_digest": "w", "metrics": {"c": 1.0}})

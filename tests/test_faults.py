"""The page of faults says what was measured, and points to tests that exist."""

import ast
from pathlib import Path

import pytest

from benchmarks.faults.__main__ import FAULTS
from benchmarks.faults.attacks import ATTACKS, Attack
from benchmarks.faults.fault import RESULTS, Fault
from benchmarks.faults.page import render

ROOT = Path(__file__).parents[1]


def test_the_page_states_what_was_measured() -> None:
    assert (ROOT / "docs/faults.md").read_text(encoding="utf-8") == render(FAULTS, ATTACKS)


def test_every_row_of_the_matrix_is_there() -> None:
    assert {fault.row for fault in FAULTS} == set(range(1, 33))


def test_every_result_belongs_to_a_measurement() -> None:
    names = [fault.name for fault in FAULTS if fault.measure]
    assert len(names) == len(set(names))
    assert {file.stem for file in RESULTS.glob("*.json")} <= set(names)


def test_every_fault_has_a_test_or_says_what_was_observed_by_hand() -> None:
    assert [fault.title for fault in FAULTS if not fault.tests and not fault.by_hand] == []


@pytest.mark.parametrize("row", [*FAULTS, *ATTACKS], ids=lambda row: getattr(row, "title", "") or row.surface)
def test_a_row_points_to_tests_that_exist(row: Fault | Attack) -> None:
    for test in row.tests:
        file, _, name = test.partition("::")
        functions = [
            node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)
        ]
        assert name in functions, test

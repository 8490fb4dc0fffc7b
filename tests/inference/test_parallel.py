"""Threads that compute items: results in order, little read ahead, and the number of threads is restored."""

import threading
from collections.abc import Iterator

import pytest
import torch

from pipeline.inference.parallel import map_in_threads


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_two_items_are_computed_at_once_and_yielded_in_their_order() -> None:
    both = threading.Barrier(2, timeout=30)  # breaks unless two calls wait at the same time

    def square(number: int) -> int:
        both.wait()
        return number**2

    assert list(map_in_threads(square, range(6), read_ahead=True)) == [number**2 for number in range(6)]


@pytest.mark.parametrize(("read_ahead", "most"), [(False, 1), (True, 3)])
def test_at_most_an_item_a_thread_is_read_ahead(read_ahead: bool, most: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = map_in_threads(lambda number: number, items(), read_ahead=read_ahead)
    assert next(results) == 0
    assert len(taken) == most


@pytest.mark.parametrize("read_ahead", [False, True])
def test_a_call_computes_on_one_thread(read_ahead: bool) -> None:
    found = list(map_in_threads(lambda _: torch.get_num_threads(), range(5), read_ahead=read_ahead))
    assert found == [1] * 5
    assert torch.get_num_threads() == 2


def test_an_error_ends_the_results_at_its_item() -> None:
    results = map_in_threads(lambda number: 1 // number, [1, 1, 0, 1], read_ahead=True)
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert torch.get_num_threads() == 2

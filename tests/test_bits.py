"""Which operations have the same bits on the processors that were recorded."""

import pytest

from benchmarks.bits.__main__ import SETTINGS, digests, disagreeing, recorded
from pipeline.training import cpu


def test_records_are_of_processors_of_both_makers() -> None:
    names = {str(record["processor"]["model name"]).split()[0] for record in recorded().values()}
    assert {"AMD", "Intel(R)"} <= names
    assert all(record["settings"].keys() == SETTINGS.keys() for record in recorded().values())


def test_convolutions_agree_as_the_project_sets_it_and_matrix_products_do_not() -> None:
    differ = disagreeing("as the project sets it", recorded())
    assert {name.split()[0] for name in differ} == {"exp,", "matmul", "linear", "RNN", "GRU"}


def test_all_operations_agree_where_mkl_is_compatible() -> None:
    compatible = [setting for setting in SETTINGS if "MKL compatible" in setting]
    assert len(compatible) == 3
    for setting in SETTINGS:
        assert bool(disagreeing(setting, recorded())) is (setting not in compatible)


@pytest.mark.slow
def test_this_processor_has_the_recorded_bits_where_mkl_is_compatible() -> None:
    if "avx2" not in cpu.facts().get("flags", "").split():
        pytest.skip("no AVX2")
    record = next(iter(recorded().values()))
    found = digests("MKL compatible")
    assert {name: each["sha256"] for name, each in found.items()} == {
        name: each["sha256"] for name, each in record["settings"]["MKL compatible"].items()
    }

"""Rules of single values."""

from pipeline.config.schema import Rule


def test_bool_is_no_number_and_int_is_a_float() -> None:
    assert Rule(int).problem(True)
    assert Rule(float).problem(3) is None
    assert Rule(int).problem(3.0)
    assert Rule(float, 0, 1).problem(float("nan"))

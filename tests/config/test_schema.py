"""Rules of single values."""

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.config.schema import SCHEMA, Rule


def test_bool_is_no_number_and_int_is_a_float() -> None:
    assert Rule(int).problem(True)
    assert Rule(float).problem(3) is None
    assert Rule(int).problem(3.0)
    assert Rule(float, 0, 1).problem(float("nan"))


scalars = st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text() | st.just("auto")
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(st.sampled_from(sorted(SCHEMA)), values)
@example("seed", 10**400)
@example("cluster.workers", [2, "auto"])
def test_any_value_has_a_problem_in_words_or_none(key: str, value: object) -> None:
    problem = SCHEMA[key].problem(value)
    assert problem is None or problem.startswith("expected ")

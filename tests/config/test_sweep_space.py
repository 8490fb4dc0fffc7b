"""A search space in Hydra's grammar: what it spans, what is drawn from it, what is refused."""

import math

import pytest

from pipeline.config.sweep_space import Interval, Options, draw, parse
from pipeline.errors import ConfigError


def test_what_is_searched_is_told_from_what_is_fixed() -> None:
    fixed, space = parse(
        [
            "experiment=digits_mlp",
            "model.net.hidden=choice([32],[64,32])",
            "seed=range(1,4)",
            "data.batch_size=16,32",
            "+x.rate=interval(1,5)",
            "model.optimizer.lr=tag(log,interval(1e-4,0.1))",
            "trainer.max_epochs=int(interval(2,9))",
            "~experiment",
        ]
    )
    assert fixed == ["experiment=digits_mlp", "~experiment"]
    assert space == {
        "model.net.hidden": Options(("[32]", "[64,32]")),
        "seed": Options(("1", "2", "3")),
        "data.batch_size": Options(("16", "32")),
        "+x.rate": Interval(1, 5, log=False, whole=False),
        "model.optimizer.lr": Interval(1e-4, 0.1, log=True, whole=False),
        "trainer.max_epochs": Interval(2, 9, log=False, whole=True),
    }


def test_points_lie_in_the_space_differ_and_are_a_seeds_own() -> None:
    _, space = parse(["a=tag(log,interval(0.0001,1))", "b=int(interval(2,4))", "c=interval(-1,1)", "d=choice(x,y)"])
    points = draw(space, 200, seed=3)
    assert points == draw(space, 200, seed=3) != draw(space, 200, seed=4)
    assert len({tuple(point) for point in points}) == 200
    a, b, c, d = ([point[at].partition("=")[2] for point in points] for at in range(4))
    assert all(1e-4 <= float(value) <= 1 for value in a)
    assert {int(value) for value in b} == {2, 3, 4}
    assert all(-1 <= float(value) <= 1 for value in c)
    assert set(d) == {"x", "y"}
    # Half of a logarithmic interval's points lie below its geometric mean: 5 standard deviations are 35 of 200.
    assert abs(sum(float(value) < math.sqrt(1e-4) for value in a) - 100) < 35


def test_a_small_space_is_tried_whole_and_no_point_twice() -> None:
    _, space = parse(["a=choice(1,2,2)", "b=range(0,3)"])
    points = draw(space, 50, seed=0)
    assert sorted(points) == [[f"a={a}", f"b={b}"] for a in (1, 2) for b in range(3)]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["experiment=digits_mlp"], "Nothing to search: no override is choice"),
        ([], "Nothing to search"),
        (["a=choice(1,"], r"a=choice\(1,: "),
        (["a=glob(*)"], "a glob can't be searched"),
        (["a=interval(2,1)"], r"expected interval\(least,most\)"),
        (["a=tag(log,interval(0,1))"], "the least above 0"),
        (["a=choice(1,2)", "a=choice(3,4)"], "a is searched twice"),
    ],
)
def test_what_is_no_space_is_refused(overrides: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse(overrides)

"""The trail of a training: what is identical, what is equal up to rounding, and what is different."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.runs import checkpoints, trail
from pipeline.runs.trail import Entry


def training(*, rate: float = 1.0, noise: float = 0.0, steps: int = 100) -> list[Entry]:
    """The trail of a made-up training: weights that move along a line, `rate` a step, off it by `noise`."""
    rng = np.random.default_rng(1)
    start, direction, off = rng.normal(size=(3, 10_000))
    found = []
    for step in (0, 1, 10, 100):
        if step <= steps:
            weights = start + 1e-4 * step * (rate * direction + noise * off)
            norm, projection = trail.projected([weights])
            loss = None if step == 0 else 2.0 - 0.001 * step * (rate + noise)
            found.append(Entry(step, None, f"{norm}", loss, norm, projection))
    return [*found, Entry(found[-1].step, 1, f"stored {rate} {noise}")]


def test_the_expected_square_of_a_projection_is_the_square_of_the_norm() -> None:
    array = np.random.default_rng(0).normal(size=(300, 50)).astype(np.float32)
    norm, projection = trail.projected([array[:100], array[100:]])
    assert norm == pytest.approx(math.sqrt(float(np.square(array.astype(float)).sum())))
    assert len(projection) == trail.SIGNS
    assert 0.3 < math.hypot(*projection) / math.sqrt(trail.SIGNS) / norm < 2
    one = np.zeros(5000)
    one[4100] = 3.0  # its sign is that of place 4100 - 4096
    norm, projection = trail.projected([one])
    assert norm == 3
    assert {abs(value) for value in projection} == {3.0}
    assert 0 < sum(value > 0 for value in projection) < trail.SIGNS


def test_equal_digests_are_identical_up_to_the_steps_that_were_trained() -> None:
    assert trail.compare(training(), training()) == trail.Comparison("identical", 100, None)
    assert trail.compare(training(), training(steps=10), 10) == trail.Comparison("identical", 10, None)
    assert trail.compare(training(), training(steps=10), 50) == trail.Comparison("identical", 10, None)


def test_rounding_is_equal_and_a_learning_rate_changed_by_one_percent_is_different() -> None:
    assert trail.compare(training(), training(noise=0.001)) == trail.Comparison("equal", 100, 1)
    for rate in (1.01, 0.99):
        assert trail.compare(training(), training(rate=rate)) == trail.Comparison("different", 100, 1)
        assert trail.compare(training(), training(rate=rate), 1) == trail.Comparison("different", 1, 1)


def test_a_loss_that_differs_by_more_than_rounding_is_different() -> None:
    recorded, repeated = training(), training(noise=1e-6)
    repeated[1] = replace(repeated[1], loss=2.01)
    assert trail.compare(recorded, repeated).verdict == "different"


def test_what_differs_for_the_first_time_after_the_first_steps_is_different() -> None:
    """So a tampered weight of the stored model is not excused as rounding."""
    repeated = training()
    repeated[-1] = replace(repeated[-1], weights="tampered")
    assert trail.compare(training(), repeated) == trail.Comparison("different", 100, 100)
    repeated[3] = replace(repeated[3], weights="another")
    assert trail.compare(training(), repeated) == trail.Comparison("different", 100, 100)


def test_a_step_that_is_missing_is_different_and_a_trail_that_is_missing_unverifiable() -> None:
    repeated = [entry for entry in training() if entry.step != 1]
    assert trail.compare(training(), repeated) == trail.Comparison("different", 100, 1)
    assert trail.compare([], training()).verdict == "unverifiable"


def test_a_model_of_one_entry_is_compared_by_its_digest_and_its_numbers(tmp_path: Path) -> None:
    """An ensemble has a digest alone; a baseline's weights have numbers, too."""
    (tmp_path / "members/a").mkdir(parents=True)
    (tmp_path / "members/a" / checkpoints.MODEL).write_bytes(b"weights")
    found = []
    for arrays in ([], [np.ones(3)], [np.ones(3) * 1.001], [np.ones(3) * 1.01]):
        trail.write(tmp_path, step=1, epoch=1, arrays=arrays)
        found += trail.read(tmp_path)
        (tmp_path / "members/a" / checkpoints.MODEL).write_bytes(f"{arrays}".encode())
    ensemble, baseline, rounded, other = found
    changed = replace(ensemble, weights="another")
    assert trail.compare([ensemble], [ensemble], 10) == trail.Comparison("identical", 1, None)
    assert trail.compare([ensemble], [changed], 10) == trail.Comparison("different", 1, 1)
    assert trail.compare([baseline], [rounded], 10) == trail.Comparison("equal", 1, 1)
    assert trail.compare([baseline], [other], 10) == trail.Comparison("different", 1, 1)


def test_a_trail_is_due_at_each_power_of_ten_also_where_a_step_counts_twice() -> None:
    assert [step for step in range(1, 2000) if trail.due(step, step - 1)] == [1, 10, 100, 1000]
    assert [step for step in range(3, 2000, 3) if trail.due(step, step - 3)] == [3, 12, 102, 1002]
    assert not trail.due(10, 10)  # a batch of several whose gradients are accumulated


def test_a_committed_trail_keeps_the_first_steps_and_some_of_many_epochs() -> None:
    steps = {0: None, 1: None, 10: None, 100: None, **{7 * epoch: epoch for epoch in range(1, 41)}}
    whole = [Entry(step, steps[step], f"{step}") for step in sorted(steps)]
    short = trail.shortened([*whole, Entry(280, 40, "stored")])
    assert [entry.step for entry in short if entry.epoch] == [35, 70, 105, 140, 175, 210, 245, 280, 280]
    assert [entry.step for entry in short if not entry.epoch] == [0, 1, 10, 100]
    assert trail.entries(trail.columns(short)) == short
    assert trail.compare(short, [*whole, Entry(280, 40, "stored")]).verdict == "identical"
    few = [*whole[:4], Entry(8, 1, "stored")]
    assert trail.shortened(few) == few

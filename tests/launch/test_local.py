"""Workers of this machine: killed, hung, stopped and failing ones, and those that lose their parents; for real."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.config import load_config, resolve
from pipeline.errors import LaunchError, PipelineError
from pipeline.launch import local_group
from pipeline.launch.local import standby
from pipeline.launch.local_group import Job, Place
from pipeline.launch.train import train
from pipeline.runs import checkpoints, events, interruption
from pipeline.types import DataSet, FitResult
from tests.launch.nodes import SAMPLE, hurt, job
from tests.processes import left

TWO = [*SAMPLE, "trainer.max_epochs=2", "trainer.checkpoint_every_s=60"]
LONG = [*SAMPLE, "trainer.max_epochs=1000"]


@pytest.fixture(autouse=True)
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are forked, though earlier tests left threads here: spawned ones lack what a test replaces."""
    monkeypatch.setattr(threading, "active_count", lambda: 1)


def run(
    project: Path, name: str, *overrides: str, workers: int = 2, during: Callable[[Path], None] | None = None
) -> FitResult:
    """Train on local workers; `during` is called in a thread, with the run's folder, once they have begun."""
    config = resolve(load_config(*overrides))
    config["cluster"].update(gpus_per_worker=0, workers=workers)
    run_dir = project / name
    run_dir.mkdir(exist_ok=True)
    if workers == 1:
        data = DataSet("mnist-5k", None, {})  # type: ignore[arg-type]
        return train(config, data, data_dir=project / "data", run_dir=run_dir)
    with standby(config) as local:
        if during:
            threading.Thread(target=during, args=(run_dir,), daemon=True).start()
        return local.run(Job(config, project / "data", run_dir))


def weights(project: Path, name: str) -> str:
    return checkpoints.weights_digest(checkpoints.verify(project / name / "model"))


def step(run_dir: Path, least: int, after: float = 0.0) -> None:
    """Wait until training logs a step."""
    ends = time.monotonic() + 300
    while not any("total" in e and e["step"] >= least and e["time"] > after for e in events.read(run_dir)[0]):
        assert time.monotonic() < ends
        time.sleep(0.05)


def local_workers(driver: int | None = None) -> list[psutil.Process]:
    """The workers of a driver (this process, if none is given), in the order of their ranks."""
    children = psutil.Process(driver or os.getpid()).children()
    found = [worker for supervisor in children for worker in supervisor.children()]
    return sorted(found, key=lambda process: process.create_time())


def starts(run_dir: Path) -> list[tuple[int, int]]:
    """How many workers each group had, and how many groups came before it."""
    return [(event["workers"], event["restarts"]) for event in events.read(run_dir)[0] if "workers" in event]


def test_a_killed_worker_costs_steps_but_not_a_bit_of_the_result(project: Path) -> None:
    def kill(run_dir: Path) -> None:
        step(run_dir, 3)
        local_workers()[1].kill()

    often = [*TWO, "trainer.checkpoint_every_steps=5"]
    run(project, "one", *often, workers=1)
    result = run(project, "two", *often, during=kill)
    assert (result.workers, starts(project / "two")) == (2, [(2, 0), (2, 1)])
    assert weights(project, "two") == weights(project, "one")
    (failure,) = [event for event in events.read(project / "two")[0] if "interrupted" in event]
    assert failure["interrupted"] == "failure"
    assert failure["notice"].startswith("worker 1 failed (")


def test_a_hung_worker_is_killed_with_its_group_which_starts_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_group, "HANG_S", 4.0)
    victims = []

    def stop(run_dir: Path) -> None:
        step(run_dir, 3)
        victims.extend(local_workers())
        hurt(victims[0], signal.SIGSTOP)

    run(project, "two", *TWO, during=stop)
    causes = [event["interrupted"] for event in events.read(project / "two")[0] if "interrupted" in event]
    assert causes == ["hang"]
    assert not left([process.pid for process in victims], within_s=20)


def test_a_worker_that_always_dies_ends_the_run_with_what_to_look_at(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(job: Job, place: Place, memory: Any) -> FitResult:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    monkeypatch.setattr(local_group, "_fit", die)
    expected = (
        r"failed for the 4th time without a new checkpoint \(its process ended with code -9, as where memory runs"
    )
    with pytest.raises(LaunchError, match=expected):
        run(project, "two", *TWO)
    assert starts(project / "two") == [(2, 0), (2, 1), (2, 2), (2, 3)]


def test_an_error_in_a_worker_arrives_as_it_was_raised(project: Path) -> None:
    wild = [*TWO, "model.optimizer.lr=1000", "trainer.max_epochs=50", "+model.net.batch_norm=false"]
    with pytest.raises(PipelineError, match=r"The loss is (nan|inf) at step"):
        run(project, "two", *wild)
    assert starts(project / "two") == [(2, 0)]


def test_a_request_to_stop_stores_the_state_and_ends_all_workers(project: Path) -> None:
    def request(run_dir: Path) -> None:
        step(run_dir, 3)
        interruption.request(run_dir)

    result = run(project, "two", *LONG, during=request)
    assert result.stopped
    newest = checkpoints.newest(project / "two/checkpoints")
    assert newest is not None
    assert checkpoints.verify(newest)["step"] == result.steps


def test_workers_whose_supervisor_was_killed_end_and_the_run_can_be_resumed(project: Path) -> None:
    orphans = []

    def kill(run_dir: Path) -> None:
        step(run_dir, 3)
        orphans.extend(local_workers())
        orphans[0].parent().kill()  # type: ignore[union-attr]

    with pytest.raises(LaunchError, match=r"supervises the workers ended\. .*`pipeline resume two`"):
        run(project, "two", *LONG, during=kill)
    assert len(orphans) == 2
    assert not left([process.pid for process in orphans], within_s=20)


@pytest.mark.slow
def test_a_process_with_threads_has_a_spawned_supervisor_and_ends_with_the_same_weights(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(project, "one", *TWO, workers=1)
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert run(project, "two", *TWO).workers == 2
    assert weights(project, "two") == weights(project, "one")


@pytest.fixture
def long_run(project: Path) -> Iterator[Any]:
    with job(project, "train", *LONG) as running:
        running.until_step(10)
        yield running


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_signal_to_all_of_a_runs_processes_stops_it_at_a_step(
    number: signal.Signals, code: int, long_run: Any
) -> None:
    tree = psutil.Process(long_run.process.pid).children(recursive=True)
    assert len(tree) >= 3
    for process in [*tree, long_run.process]:  # as a terminal sends Ctrl-C, and a service manager SIGTERM
        os.kill(process.pid, number)
    assert long_run.end() == code, long_run.output()
    assert long_run.record()["status"] == "interrupted"
    assert checkpoints.newest(long_run.run_dir / "checkpoints")
    assert not left([process.pid for process in tree], within_s=20)


@pytest.mark.slow
def test_a_second_ctrl_c_ends_a_run_at_once_without_orphans(long_run: Any) -> None:
    tree = psutil.Process(long_run.process.pid).children(recursive=True)
    hurt(local_workers(long_run.process.pid)[1], signal.SIGSTOP)  # so that no step ends
    for _ in range(2):
        hurt(psutil.Process(long_run.process.pid), signal.SIGINT)
        time.sleep(1)
    assert long_run.end(60) == 130, long_run.output()
    assert not left([process.pid for process in tree], within_s=20)


@pytest.mark.slow
def test_workers_end_with_a_driver_that_is_killed(long_run: Any) -> None:
    tree = psutil.Process(long_run.process.pid).children(recursive=True)
    long_run.process.kill()
    assert not left([process.pid for process in tree], within_s=20)


@pytest.mark.slow
def test_twenty_kills_and_changes_of_size_change_no_bit(project: Path) -> None:
    """All processes are killed 20 times, at random steps, and each time the run resumes on two or four workers."""
    rng = random.Random(0)
    words = [*SAMPLE, "trainer.shards=4", "trainer.max_epochs=40", "trainer.checkpoint_every_steps=7"]
    run(project, "whole", *words, workers=1)

    def kill(run_dir: Path) -> None:
        step(run_dir, 0, after=time.time())
        time.sleep(rng.random())
        for supervisor in psutil.Process().children():
            supervisor.kill()

    sizes = [rng.choice((2, 4)) for _ in range(20)]
    for size in sizes:
        with pytest.raises(LaunchError, match="supervises the workers ended"):
            run(project, "cut", *words, workers=size, during=kill)
    result = run(project, "cut", *words, workers=1)
    assert result.steps == 800
    assert starts(project / "cut") == [(size, 0) for size in sizes]
    assert weights(project, "cut") == weights(project, "whole")

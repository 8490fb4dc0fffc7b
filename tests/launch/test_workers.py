"""Runs whose workers, controllers, nodes and heads die: real processes are killed, and the run's events checked."""

import pickle
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ray.exceptions import ActorDiedError
from ray.train import TrainingFailedError

from pipeline.config import load_config
from pipeline.errors import LaunchError, PipelineError
from pipeline.launch.capacity import CapacityRequest
from pipeline.launch.failure_count import MAX_FAILURES
from pipeline.launch.failures import Failures, TooFewNodes
from pipeline.launch.workers import ROOM_S, _Groups
from pipeline.runs import checkpoints, events, interruption
from pipeline.types import Event
from tests.launch.nodes import SAMPLE, actors, hurt, job, nodes, workers
from tests.processes import left

LONG = [*SAMPLE, "trainer.max_epochs=40"]


def weights(run_dir: Path) -> str:
    return checkpoints.weights_digest(checkpoints.verify(run_dir / "model"))


def starts(events: list[Event]) -> list[Event]:
    """The event of each group's start."""
    return [event for event in events if "workers" in event]


def has_started(groups: int, events: list[Event]) -> bool:
    """Whether so many groups have started."""
    return len(starts(events)) == groups


def test_what_a_worker_raised_itself_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no number"):
        Failures(tmp_path, {}).after_exception(None, {0: RuntimeError("peer closed"), 1: PipelineError("no number")})


def test_failures_end_the_run_only_if_no_checkpoint_comes_between_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.launch.cluster.room", lambda cluster: 2)
    failures = Failures(tmp_path, {})

    def advance(step: int) -> None:
        checkpoints.publish(tmp_path / f"checkpoints/step-{step:09d}", lambda aside: None)

    for step in range(2 * MAX_FAILURES):
        advance(step)
        failures.after_exception(None, {0: RuntimeError("gone")})
    for _ in range(MAX_FAILURES - 1):
        failures.after_exception(None, {0: RuntimeError("gone")})
    with pytest.raises(LaunchError, match="without a new checkpoint"):
        failures.after_exception(None, {0: RuntimeError("gone")})


def test_failures_count_in_whichever_process_they_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.launch.cluster.room", lambda cluster: 2)
    failures = Failures(tmp_path, {})
    for number in range(MAX_FAILURES):
        seen_by = pickle.loads(pickle.dumps(failures)) if number % 2 else failures  # a controller has a copy
        seen_by.after_exception(None, {0: RuntimeError("gone")})
    with pytest.raises(LaunchError, match="for the 4th time"):
        failures.count("the group", RuntimeError("gone"))
    Failures(tmp_path, {}).count("worker 0", RuntimeError("gone"))  # a resumed run counts anew


def test_a_group_that_no_longer_fits_ends_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.launch.cluster.room", lambda cluster: 1)
    failures = Failures(tmp_path, {})
    failures.workers = 2
    with pytest.raises(TooFewNodes):
        failures.after_exception(None, {1: RuntimeError("gone")})


def test_a_group_whose_controller_died_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.launch.cluster.room", lambda cluster: 2)
    ends = [ActorDiedError(), SimpleNamespace(stopped=False)]

    def group(*_: object) -> Any:
        end = ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    cluster = {"workers": 2, "threads_per_worker": 1, "gpus_per_worker": 0}
    groups = _Groups(cluster, tmp_path, None, {}, 2, CapacityRequest("run", {"CPU": 1}, 2))
    monkeypatch.setattr(groups, "group", group)
    monkeypatch.setattr(groups, "release", lambda: None)
    assert groups.run() == SimpleNamespace(stopped=False)
    (event,) = events.read(tmp_path)[0]
    assert event["interrupted"] == "failure"
    assert event["notice"].startswith("the group failed (The actor died")
    ends.extend([ActorDiedError()] * (MAX_FAILURES + 1))
    with pytest.raises(LaunchError, match="the group failed for the 4th time without a new checkpoint"):
        groups.run()


def test_a_group_grows_at_once_to_its_most_and_to_less_once_no_more_nodes_join(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, room, now = {"workers": [1, 4], "threads_per_worker": 1, "gpus_per_worker": 0}, 1, 100.0
    monkeypatch.setattr("pipeline.launch.cluster.room", lambda cluster: room)
    monkeypatch.setattr("pipeline.launch.cluster.draining", set)
    monkeypatch.setattr("time.monotonic", lambda: now)
    monkeypatch.setattr("ray.get", lambda *_, **__: ({"node"}, None))
    request = SimpleNamespace(most=4, ask=lambda workers: asked.append(workers))
    asked: list[int] = []
    actor = SimpleNamespace(placement=SimpleNamespace(remote=lambda: None))
    groups = _Groups(cluster, tmp_path, actor, {}, 4, cast(CapacityRequest, request))
    assert groups.reason_to_make_way(1) is None
    room = 2
    assert groups.reason_to_make_way(1) is None
    now += 11
    assert groups.reason_to_make_way(1) == "resize"
    room = 4
    assert groups.reason_to_make_way(2) == "resize"
    assert groups.reason_to_make_way(4) is None
    assert asked == [3, 3, 3, 2, 0]  # the workers that it lacks


def test_a_wait_for_room_lasts_anew_after_a_group_has_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, now, used = {"workers": 2, "threads_per_worker": 1, "gpus_per_worker": 0}, 100.0, set[str]()
    monkeypatch.setattr("pipeline.launch.cluster.room", lambda cluster: 2)
    monkeypatch.setattr("pipeline.launch.cluster.draining", set)
    monkeypatch.setattr("pipeline.launch.cluster.shortage", lambda cluster: "2 workers need 2 CPUs.")
    monkeypatch.setattr("time.monotonic", lambda: now)
    monkeypatch.setattr("ray.get", lambda *_, **__: (used, None))
    actor = SimpleNamespace(placement=SimpleNamespace(remote=lambda: None))
    groups, failures = _Groups(cluster, tmp_path, actor, {}, 2, CapacityRequest("run", {}, 2)), Failures(tmp_path, {})
    no_room = TrainingFailedError("not placed")
    no_room.controller_failure = type("WorkerGroupStartupTimeoutError", (Exception,), {})()

    groups.judge(no_room, 2, failures)
    groups.reason_to_make_way(2)
    now += ROOM_S - 1
    groups.judge(no_room, 2, failures)
    used.add("node")
    groups.reason_to_make_way(2)
    now += 3600  # of training
    groups.judge(no_room, 2, failures)
    now += ROOM_S + 1
    with pytest.raises(LaunchError, match="No room for 2 in 300 s"):
        groups.judge(no_room, 2, failures)


def test_a_ctrl_c_while_the_nodes_are_looked_at_is_not_taken_for_a_change_of_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = threading.Event()

    def look(workers: int) -> str:
        interruption.request(tmp_path)  # as the handler of Ctrl-C does
        looked.set()
        return "resize"

    def fit() -> Any:
        looked.wait(1)
        time.sleep(0.05)
        return SimpleNamespace(return_value="result")

    monkeypatch.setattr("pipeline.launch.workers.Trainer", lambda *_, **__: SimpleNamespace(fit=fit))
    monkeypatch.setattr("pipeline.launch.workers.POLL_S", 0.01)
    monkeypatch.setattr("pipeline.launch.head.reach", lambda: None)
    actor = SimpleNamespace(forget_nodes=SimpleNamespace(remote=lambda: None))
    cluster = {"workers": 2, "threads_per_worker": 1, "gpus_per_worker": 0}
    groups = _Groups(cluster, tmp_path, actor, {}, 2, CapacityRequest("run", {}, 2))
    monkeypatch.setattr(groups, "reason_to_make_way", look)
    groups.group(2, Failures(tmp_path, {}))
    assert interruption.reason(tmp_path) == ""


def test_a_killed_worker_loses_less_than_half_a_minute_of_work_by_default() -> None:
    assert load_config().trainer.checkpoint_every_s < 30


@pytest.mark.slow
def test_a_cluster_ends_with_the_bits_of_one_process_also_where_a_worker_is_killed(project: Path) -> None:
    six = [*SAMPLE, "trainer.max_epochs=6"]
    with job(project, "train", *six, "cluster.workers=1") as running:
        assert running.end() == 0, running.output()
        assert running.run_dir
        expected = weights(running.run_dir)
    with nodes(1, 1) as cluster, job(project, "train", *six, "cluster=ray", RAY_ADDRESS=cluster.address) as running:
        running.until_step(30)
        hurt(workers()[-1], signal.SIGKILL)
        assert running.end() == 0, running.output()
        assert running.run_dir
        assert [(event["workers"], event["restarts"]) for event in starts(running.events())] == [(2, 0), (2, 1)]
        assert weights(running.run_dir) == expected


@pytest.mark.slow
@pytest.mark.parametrize("second", ["RayTrainWorker", "TrainController"])
def test_the_fourth_death_without_a_checkpoint_ends_the_run_whoever_counted_the_others(
    second: str, project: Path
) -> None:
    long = [*SAMPLE, "trainer.max_epochs=100", "cluster=ray"]
    with nodes(2) as cluster, job(project, "train", *long, RAY_ADDRESS=cluster.address) as running:
        for number, name in enumerate(("RayTrainWorker", second, "RayTrainWorker", "RayTrainWorker"), 1):
            running.until(partial(has_started, number))
            hurt(actors(name)[-1], signal.SIGKILL)
        assert running.end() == 2, running.output()
        assert "failed for the 4th time without a new checkpoint" in running.output()
        assert running.run_dir
        assert list(running.run_dir.glob("ray-logs/*-worker-*/python-core-worker-*.log"))
        assert [event["interrupted"] for event in running.events() if event.get("interrupted")] == ["failure"] * 3


@pytest.mark.slow
def test_a_killed_actor_of_the_runs_folder_is_started_again_and_the_run_continues(project: Path) -> None:
    long = [*SAMPLE, "trainer.max_epochs=12", "cluster=ray"]
    with nodes(2) as cluster, job(project, "train", *long, RAY_ADDRESS=cluster.address) as running:
        running.until_step(30)
        (killed,) = actors("RunDirActor")
        hurt(killed, signal.SIGKILL)
        assert running.end() == 0, running.output()
        assert len(starts(running.events())) == 1
        assert not [event for event in running.events() if event.get("interrupted")]


@pytest.mark.slow
def test_a_cluster_of_one_cpu_trains_by_default_and_explains_at_once_why_two_workers_wait(project: Path) -> None:
    with nodes(1) as cluster:
        words = ["experiment=mlp_xor", "cluster=ray", f"cluster.address={cluster.address}"]
        with job(project, "train", *words) as default:
            assert default.end() == 0, default.output()
            assert [event["workers"] for event in starts(default.events())] == [1]
        with job(project, "train", *words, "trainer.shards=2", "cluster.workers=2") as two:
            waiting = two.until(lambda events: next((e for e in events if e.get("interrupted") == "room"), None))
            assert "the cluster has 1 CPU on 1 node, room for 1 of them" in waiting["notice"]
            assert "Add nodes, or use cluster.workers=1. Waiting 300 s" in waiting["notice"]
            cluster.add(1)
            assert two.end() == 0, two.output()
            assert [event["workers"] for event in starts(two.events())] == [2]
            assert two.output().count("no room") == 1


@pytest.mark.slow
def test_a_hung_worker_is_declared_dead_within_a_minute(project: Path) -> None:
    with nodes(2) as cluster, job(project, "train", *LONG, "cluster=ray", RAY_ADDRESS=cluster.address) as running:
        running.until_step(30)
        victim = workers()[-1]
        at = hurt(victim, signal.SIGSTOP)
        found = running.until(lambda events: next((e for e in events if e.get("interrupted")), None))
        assert found["interrupted"] == "hang"
        assert found["time"] - at <= 60
        running.until(lambda events: len(starts(events)) == 2)
        assert not left([victim.pid], within_s=0)


@pytest.mark.slow
def test_a_run_resumes_without_a_killed_node_grows_back_and_leaves_a_draining_one(project: Path) -> None:
    with nodes(1, 1) as cluster:
        words = ["cluster=ray", f"cluster.address={cluster.address}", "cluster.workers=[1,2]"]
        with job(project, "train", *SAMPLE, "trainer.max_epochs=400", *words) as running:
            running.until_step(30)
            victim = sorted(cluster.cluster.worker_nodes, key=lambda node: node.node_id)[0]
            cluster.kill(victim)
            running.until(lambda events: [event["workers"] for event in starts(events)] == [2, 1])
            new = cluster.add(1)
            running.until(lambda events: [event["workers"] for event in starts(events)] == [2, 1, 2])
            running.until(lambda events: "total" in events[-1])
            cluster.drain(new)
            running.until(lambda events: [event["workers"] for event in starts(events)] == [2, 1, 2, 1])
            before, after = (
                [e for e in running.events() if "total" in e and (e["time"] < starts(running.events())[3]["time"]) == b]
                for b in (True, False)
            )
            assert starts(running.events())[3]["step"] >= before[-1]["step"]  # nothing is done again
            assert not after or after[0]["step"] > before[-1]["step"]
            running.process.send_signal(signal.SIGTERM)
            assert running.end() == 75, running.output()
            assert running.record()["status"] == "interrupted"


@pytest.mark.slow
def test_a_lost_head_ends_the_driver_with_75_and_the_run_resumes_elsewhere(project: Path) -> None:
    with nodes(2) as first:
        words = ["cluster=ray", f"cluster.address={first.address}", "cluster.workers=2"]
        with job(project, "train", *SAMPLE, "trainer.max_epochs=20", *words) as running:
            running.until_step(30)
            first.kill_head()
            at = time.monotonic()
            assert running.end() == 75, running.output()
            assert time.monotonic() - at < 180
            assert running.run_dir
            name = running.run_dir.name
            assert f"pipeline resume {name}" in running.output()
    with nodes(2) as second, job(project, "resume", name, RAY_ADDRESS=second.address) as again:
        assert again.end() == 0, again.output()


def test_a_cluster_that_does_not_answer_is_named_within_fifteen_seconds(project: Path) -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "train", "data=mnist-5k", "cluster=ray", "cluster.address=127.0.0.1:1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert time.monotonic() - began < 15
    assert done.returncode == 2
    assert "no Ray cluster answers there" in done.stderr
    assert "ray start --head" in done.stderr
    assert not (project / "runs").exists()

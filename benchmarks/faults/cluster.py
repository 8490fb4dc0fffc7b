"""Faults of worker groups and nodes."""

import os
import signal
import tempfile
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import psutil

from benchmarks.faults.fault import Fault, Trial
from benchmarks.faults.process import EVERY, RUN
from pipeline.runs import checkpoints
from pipeline.runs.goodput import goodput
from tests.launch.nodes import Job, job, nodes
from tests.launch.test_local import local_workers

GROUP = "tests/launch/test_workers.py::"
LOCAL = "tests/launch/test_local.py::"
TWO = ["trainer.shards=2", "cluster.workers=2"]
JOBS = "tests/launch/test_jobs.py::"
MINUTES_5 = 300
STEPS = 480  # of 500: after the last checkpoint there is no new step to recover to


def kill_worker(project: Path, rng: Random) -> Trial:
    with job(project, "train", *RUN, *TWO) as running:
        running.until_step(rng.randrange(1, STEPS))
        return _recovered(running, lambda: _signal(running, rng, signal.SIGKILL))


def stop_worker(project: Path, rng: Random) -> Trial:
    with job(project, "train", *RUN, *TWO) as running:
        running.until_step(rng.randrange(1, STEPS))
        trial = _recovered(running, lambda: _signal(running, rng, signal.SIGSTOP))
        hung = any(event.get("interrupted") == "hang" for event in running.events())
        soon = hung and trial.recovery_s is not None and trial.recovery_s <= 40
        return trial if soon else replace(trial, held=False, note=f"{trial.note}; no new step within 40 s")


def kill_node(project: Path, rng: Random) -> Trial:
    with nodes(1, 1) as cluster:
        words = ["cluster=ray", f"cluster.address={cluster.address}", "cluster.workers=[1,2]"]
        with job(project, "train", *RUN, *TWO[:1], *words) as running:
            running.until_step(rng.randrange(1, STEPS))
            victim = rng.choice(sorted(cluster.cluster.worker_nodes, key=lambda node: node.node_id))
            return _recovered(running, lambda: cluster.kill(victim))


def kill_worker_every_five_minutes(project: Path, rng: Random) -> Trial:
    """Five minutes of training, from the first step to the last, with a kill in their first half; SIGTERM ends them."""
    with job(project, "train", *RUN, "trainer.max_epochs=100000", *TWO) as running:
        began, dies = running.until_step(1)["time"], rng.uniform(10, MINUTES_5 / 2)
        time.sleep(max(0.0, began + dies - time.time()))
        _signal(running, rng, signal.SIGKILL)
        time.sleep(max(0.0, began + MINUTES_5 - time.time()))
        running.process.send_signal(signal.SIGTERM)
        code = running.end(120)
        metrics = goodput(running.events())
    share = round(metrics.pop("run/goodput"), 4)
    lost = ", ".join(
        f"{name.rpartition('/')[2]} {seconds:.1f} s" for name, seconds in metrics.items() if "lost" in name
    )
    load = os.getloadavg()[1]  # of the last five minutes
    note = f"killed after {dies:.0f} s; lost to {lost}; load {load:.1f}" + (f"; exit code {code}" if code != 75 else "")
    return Trial(held=code == 75 and metrics["run/restarts"] == 1 and share >= 0.95, goodput=share, note=note)


def _signal(running: Job, rng: Random, number: signal.Signals) -> None:
    victim: psutil.Process = rng.choice(local_workers(running.process.pid))
    victim.send_signal(number)


def _recovered(running: Job, fault: Any, *, same_weights: bool = True) -> Trial:
    """Inject a fault into the run and wait for its end."""
    load = os.getloadavg()[0]  # over a minute: the run's two workers and other work
    fault()
    at = time.time()
    code = running.end(900)
    events = running.events()
    done = max(event["step"] for event in events if "total" in event and event["time"] <= at)
    new = [event["time"] for event in events if "total" in event and event["time"] > at and event["step"] > done]
    begun = [event for event in events if "workers" in event]
    noticed = next((f", noticed after {event['time'] - at:.1f} s" for event in events if "interrupted" in event), "")
    lost = max(0, done - begun[-1]["step"]) if len(begun) > 1 else None
    observed = {
        "exit code": (code, 0),
        "status": (running.record()["status"], "finished"),
        "groups": (len(begun), 2),
        **({"weights": (_weights(running), _reference())} if same_weights else {}),
    }
    deviations = "; ".join(
        f"{name}: {got}, not {expected}" for name, (got, expected) in observed.items() if got != expected
    )
    return Trial(
        held=not deviations and (lost is None or lost <= EVERY),
        recovery_s=round(min(new) - at, 2) if new else None,
        steps_lost=lost,
        note=f"at step {done}{noticed}, load {load:.1f}" + (f"; {deviations}" if deviations else ""),
    )


def _weights(running: Job) -> str:
    assert running.run_dir
    return checkpoints.weights_digest(checkpoints.verify(running.run_dir / "model"))


@cache
def _reference() -> str:
    """The weights of an undisturbed run with two workers."""
    with tempfile.TemporaryDirectory() as project, job(Path(project), "train", *RUN, *TWO) as running:
        assert running.end(900) == 0, running.output()
        return _weights(running)


ON_NODES = f"{GROUP}test_a_run_resumes_without_a_killed_node_grows_back_and_leaves_a_draining_one"
ON_MACHINES = (
    "tests/launch/test_network.py::test_a_run_on_machines_that_share_no_folder_outlives_a_dead_one_and_a_cut_link"
)
FAULTS = [
    Fault(
        1,
        "`kill -9` of a worker",
        "the group restarts from the newest checkpoint; same weights, one run",
        (f"{LOCAL}test_a_killed_worker_costs_steps_but_not_a_bit_of_the_result",),
        kill_worker,
    ),
    Fault(
        1,
        "`kill -9` of a worker, once in every five minutes of training",
        "at least 95 % of the time is spent on new steps",
        (f"{LOCAL}test_a_killed_worker_costs_steps_but_not_a_bit_of_the_result",),
        kill_worker_every_five_minutes,
    ),
    Fault(
        2,
        "worker hangs (`kill -STOP`)",
        "the same, with a new step within 40 s",
        (f"{LOCAL}test_a_hung_worker_is_killed_with_its_group_which_starts_again",),
        stop_worker,
    ),
    Fault(
        3,
        "a node's raylet killed",
        "continues on the remaining nodes; grows when one joins",
        (ON_NODES, ON_MACHINES),
        kill_node,
    ),
    Fault(
        4,
        "head killed",
        "clear failure, exit 75; `pipeline resume` works on a new cluster",
        (f"{GROUP}test_a_lost_head_ends_the_driver_with_75_and_the_run_resumes_elsewhere",),
    ),
    Fault(
        4,
        "head of a service killed, its state in Redis",
        "no request lost; a new head goes on with the service",
        (
            "tests/launch/test_service.py::"
            "test_no_request_is_lost_while_the_head_is_away_and_a_new_head_knows_the_service",
        ),
    ),
    Fault(7, "`ray drain-node`", "checkpoint, at most one step lost", (ON_NODES,)),
    Fault(
        25,
        "stale Ray session, dead `RAY_ADDRESS`",
        "error in ≤ 15 s with the next step",
        (
            f"{GROUP}test_a_cluster_that_does_not_answer_is_named_within_fifteen_seconds",
            "tests/launch/test_cluster.py::test_an_ended_session_is_refused_at_once",
        ),
    ),
    Fault(
        31,
        "network partition: the link to a node is cut",
        "continues on the remaining nodes within 3 minutes; a healed link duplicates nothing",
        (ON_MACHINES,),
    ),
    Fault(
        32,
        "job upload too large",
        "refused before upload, with the size of each top folder",
        (f"{JOBS}test_a_pack_too_large_is_refused_with_the_size_of_each_folder",),
    ),
]

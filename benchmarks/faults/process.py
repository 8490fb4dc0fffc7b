"""Faults of one process: kills, signals, disks, numbers, memory, checkpoints."""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from random import Random

from benchmarks.faults.fault import Fault, Trial
from pipeline.runs import checkpoints, events, lookup, records
from pipeline.types import Event

EVERY = 20  # steps between checkpoints
# 500 steps of the CNN on the embedded digits, with augmentation, dropout, averaged weights and a schedule.
RUN = ["data=mnist-5k", "data.batch_size=32", "trainer.max_epochs=4", f"trainer.checkpoint_every_steps={EVERY}"]
# The command, with an event for every step, so that lost steps can be counted.
COMMAND = "import pipeline.training.callbacks as c; c.PROGRESS_EVERY_S = 0; from pipeline.cli import main; main()"


def kill_one_process(project: Path, rng: Random) -> Trial:
    return _ended(project, rng, signal.SIGKILL, exit_code=-9, most_lost=EVERY)


def terminate_one_process(project: Path, rng: Random) -> Trial:
    return _ended(project, rng, signal.SIGTERM, exit_code=75, most_lost=1)


def interrupt_one_process(project: Path, rng: Random) -> Trial:
    return _ended(project, rng, signal.SIGINT, exit_code=130, most_lost=1)


def _ended(project: Path, rng: Random, number: signal.Signals, *, exit_code: int, most_lost: int) -> Trial:
    """End a run at a random time of its training, resume it, and compare with an undisturbed run."""
    root, steps, weights = _reference()
    shutil.copytree(root / "runs", project / "runs", ignore=lambda folder, names: {n for n in names if "mnist" in n})
    process = begin(project, "train", *RUN)
    run_dir = _wait_for_step(rng.randrange(1, steps), project, process)
    time.sleep(rng.uniform(0, 0.02))  # anywhere within a step
    load = os.getloadavg()[0]
    process.send_signal(number)
    ended, code = time.time(), process.wait(120)
    done = max(event["step"] for event in steps_of(run_dir))
    status = records.read(run_dir)["status"]
    newest = checkpoints.newest(run_dir / "checkpoints")
    checkpoint_step = checkpoints.verify(newest)["step"] if newest else 0
    resumed = begin(project, "resume", run_dir.name).wait(600)
    again = [event["time"] for event in steps_of(run_dir) if event["step"] > done and event["time"] > ended]
    logged = [event["epoch"] for event, _ in events.scan(run_dir) if "metrics" in event]
    observed = {
        "exit code": (code, exit_code),
        "status": (status, "interrupted"),
        "resume's exit code": (resumed, 0),
        "weights": (_weights(run_dir), weights),
        "epochs": (sorted(set(logged)), [0, 1, 2, 3]),
        "processes left": (_remaining(project), []),
    }
    deviations = "; ".join(
        f"{name}: {got}, not {expected}" for name, (got, expected) in observed.items() if got != expected
    )
    lost = done - checkpoint_step
    return Trial(
        held=not deviations and 0 <= lost <= most_lost,
        recovery_s=round(min(again) - ended, 2) if again else None,  # none: training was done
        steps_lost=lost,
        note=f"at step {done}, load {load:.1f}" + (f"; {deviations}" if deviations else ""),
    )


@cache
def _reference() -> tuple[Path, int, str]:
    """A project with an undisturbed run, its number of steps, its weights' digest."""
    project = Path(tempfile.mkdtemp(prefix="faults-reference-"))
    atexit.register(shutil.rmtree, project)
    assert begin(project, "train", *RUN).wait(600) == 0
    run_dir = Path(lookup.find("latest", project)["run_dir"])
    return project, steps_of(run_dir)[-1]["step"], _weights(run_dir)


def begin(project: Path, *words: str) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    with (project / "out.txt").open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, *words], cwd=project, env=environment, stdout=out, stderr=out
        )


def _wait_for_step(step: int, project: Path, process: "subprocess.Popen[bytes]") -> Path:
    while process.poll() is None:
        for run_dir in (project / "runs").glob("mnist*"):
            if (steps := steps_of(run_dir)) and steps[-1]["step"] >= step:
                return run_dir
        time.sleep(0.01)
    raise RuntimeError((project / "out.txt").read_text())


def steps_of(run_dir: Path) -> list[Event]:
    return [event for event, _ in events.scan(run_dir) if "total" in event]


def _weights(run_dir: Path) -> str:
    return checkpoints.weights_digest(checkpoints.verify(run_dir / "model"))


def _remaining(project: Path) -> list[str]:
    """Command lines of processes whose working directory is the project."""
    remaining = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == project:
                remaining.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it has ended, or belongs to another user
            continue
    return remaining


FAULTS = [
    Fault(
        1,
        "`kill -9` of a run in one process",
        f"`pipeline resume` continues from the newest checkpoint: ≤ {EVERY} steps lost (an interval), same weights",
        ("tests/training/test_resume.py::test_a_run_killed_at_random_steps_ends_with_the_same_weights_and_metrics",),
        kill_one_process,
    ),
    Fault(
        5,
        "SIGTERM",
        "checkpoint at the next step, exit 75, status interrupted, same weights after `pipeline resume`",
        (
            "tests/runs/test_records.py::test_a_run_that_is_killed_is_resumed_to_the_same_weights",
            "tests/training/test_resume.py::test_a_request_to_stop_costs_no_step",
        ),
        terminate_one_process,
    ),
    Fault(
        6,
        "Ctrl-C (measured: once)",
        "once: checkpoint at the next step, exit 130, no process left, same weights after `pipeline resume`; twice: "
        "ends at once; three times: ends unconditionally; never exit 0",
        (
            "tests/runs/test_records.py::test_a_run_that_is_killed_is_resumed_to_the_same_weights",
            "tests/runs/test_interruption.py::test_the_first_asks_the_second_ends_and_the_third_ends_whatever_happens",
        ),
        interrupt_one_process,
    ),
    Fault(
        12,
        "disk full: checkpoint, event log, download, Ray's folder",
        "last good checkpoint kept, nothing partial, path and bytes in the error",
        (
            "tests/actions/test_disk.py::test_a_disk_that_fills_up_stops_the_run_and_its_last_checkpoint_stays",
            "tests/actions/test_disk.py::test_an_event_that_finds_no_room_names_the_file_and_its_bytes",
            "tests/data/test_store.py::test_a_full_disk_is_named_with_the_bytes_needed",
            "tests/launch/test_cluster.py::test_ray_is_not_started_where_it_finds_no_room",
        ),
    ),
    Fault(
        13,
        "read-only target",
        "refused before training",
        ("tests/actions/test_disk.py::test_a_read_only_folder_is_refused_before_anything_is_trained",),
    ),
    Fault(
        20,
        "NaN or Inf loss",
        "stops with step, batch, learning rate, gradient norm; never checkpointed, so never best",
        (
            "tests/training/test_fit.py::test_a_loss_that_is_no_number_stops_with_step_batch_rate_and_gradient_norm",
            "tests/training/test_resume.py::test_weights_that_are_no_numbers_are_never_kept",
        ),
    ),
    Fault(
        21,
        "out of memory",
        "error suggests a smaller batch with gradient accumulation",
        ("tests/training/test_fit.py::test_too_little_memory_is_said_with_a_smaller_batch_that_learns_the_same",),
    ),
    Fault(
        22,
        "bad key, type, range, unknown data set",
        "exit 2 in < 2 s, with a suggestion, no traceback",
        (
            "tests/cli/test_command.py::test_a_mistake_is_one_line_and_exit_code_2",
            "tests/cli/test_command.py::test_mistakes_and_listings_wait_for_no_heavy_library",
        ),
    ),
    Fault(
        24,
        "two runs at once, same name; one run twice",
        "separate folders; an error that names the process",
        (
            "tests/runs/test_records.py::test_two_runs_of_the_same_second_have_folders_of_their_own",
            "tests/runs/test_records.py::"
            "test_a_run_whose_process_is_gone_is_interrupted_and_one_that_runs_is_not_begun_twice",
        ),
    ),
    Fault(
        26,
        "poisoned checkpoint",
        "refused before any of it is executed",
        ("tests/training/test_resume.py::test_a_poisoned_state_is_refused_unread",),
    ),
    Fault(
        27,
        "torn checkpoint or manifest",
        "the newest that verifies is used",
        (
            "tests/training/test_resume.py::test_a_run_with_a_torn_state_goes_on_from_the_one_before",
            "tests/runs/test_checkpoints.py::test_a_torn_manifest_falls_back_too",
        ),
    ),
    Fault(
        28,
        "crash at each step of writing a checkpoint",
        "the old or the new version, never a mixture",
        (
            "tests/runs/test_checkpoints.py::"
            "test_a_crash_at_any_step_of_publishing_leaves_the_old_or_the_new_and_never_a_mixture",
        ),
    ),
    Fault(
        29,
        "resume with other code, config, data, packages or workers",
        "listed and refused without `--allow-drift`",
        ("tests/test_tiny.py::test_a_run_that_is_no_longer_what_it_was_goes_on_only_if_that_is_allowed",),
    ),
    Fault(
        30,
        "odd path, odd locale, clock jump",
        "same weights",
        (
            "tests/training/test_resume.py::test_an_odd_folder_and_a_clock_that_jumps_change_nothing",
            "tests/test_tiny.py::test_a_locale_that_can_not_name_the_folder_changes_no_weight",
        ),
    ),
]

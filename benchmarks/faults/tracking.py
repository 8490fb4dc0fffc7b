"""Faults of the tracking server, its database and its ports."""

from pathlib import Path
from random import Random

from benchmarks.faults.fault import Fault, Trial
from benchmarks.faults.process import RUN, begin, steps_of
from pipeline.runs import lookup
from tests.faulty import mlflow_server, proxy

OUTAGES = "tests/tracking/test_outages.py::test_a_run_survives_a_server_that"
STORE = "tests/tracking/test_mlflow_store.py::test_"


def slow_tracking(project: Path, rng: Random) -> Trial:
    """The same run on a healthy and on a faulty server, in either order."""
    mode, step_s = rng.choice(["slow", "hangs", "429", "500"]), {}
    with mlflow_server(project) as server, proxy(server) as between:
        for between.mode in rng.sample(["well", mode], 2):
            assert begin(project, "train", *RUN, f"tracking.uri=http://127.0.0.1:{between.port}").wait(900) == 0
            steps = steps_of(Path(lookup.find("latest", project)["run_dir"]))
            step_s[between.mode] = (steps[-1]["time"] - steps[0]["time"]) / (steps[-1]["step"] - steps[0]["step"])
    growth = step_s[mode] / step_s["well"] - 1
    return Trial(held=growth < 0.05, note=f"{mode}: step time {100 * growth:+.1f} %")


FAULTS = [
    Fault(
        8,
        "MLflow dead at start, mid-run, flapping",
        "trains, queues, sends later; no point duplicated",
        (
            OUTAGES,
            "tests/tracking/test_upload_queue.py::test_an_outage_at_any_call_loses_nothing_and_doubles_nothing",
            "tests/tracking/test_uploader.py::test_an_outage_in_the_middle_is_told_once_and_caught_up_with",
        ),
    ),
    Fault(
        9,
        "MLflow slow, 429, 500, half-open",
        "step time grows by less than 5 %",
        (OUTAGES, "tests/tracking/test_uploader.py::test_a_server_that_never_answers_holds_nobody_up"),
        slow_tracking,
    ),
    Fault(
        10,
        "MLflow's SQLite locked",
        "bounded retries, then the upload queue",
        (f"{STORE}a_locked_data_base_is_waited_for_a_little_and_then_left_to_sync",),
    ),
    Fault(
        11,
        "MLflow's schema old",
        "names `mlflow db upgrade`, changes nothing",
        (f"{STORE}an_old_schema_is_named_and_left_alone",),
    ),
    Fault(
        23,
        "port in use",
        "names the owner's process; `app` takes the next one, `ui` and `serve` ask for another",
        (
            "tests/app/test_server.py::"
            "test_a_taken_port_is_named_with_its_owner_and_the_next_one_is_served_on_loopback_only",
            "tests/actions/test_ui.py::test_a_port_in_use_is_refused_with_its_owner",
        ),
    ),
]

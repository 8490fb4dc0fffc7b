"""Parallel trials of a hyperparameter search under Ray Tune, with early stopping by ASHA.

ASHA (Li et al. 2020, arXiv:1810.05934) stops the trials that validate worst at each of a few numbers of epochs.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import Config
from pipeline.launch import bits
from pipeline.launch.cluster import start
from pipeline.launch.machine import available_cores
from pipeline.runs.events import follow
from pipeline.types import Event, PrimaryMetric, RunStart

if TYPE_CHECKING:  # imports Ray
    from ray.tune import Callback
    from ray.tune.experiment import Trial as TuneTrial

REDUCTION = 3  # of the trials that reach a rung, one in three is continued
STORE_BYTES = 100 * 2**20  # of Ray's object store, which holds nothing large here


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration (checked, resolved, plain data) and the folder of its run."""

    run_dir: Path
    config: Config
    facts: RunStart  # of its run in MLflow
    ended: bool  # in an earlier try: it only reports the scores in its folder again


OnEnd = Callable[[Path, int, str | None], None]  # a trial's folder, its number of epochs, its error


def run(trials: Sequence[Trial], *, data_dir: Path, data_digest: str, storage: Path, on_end: OnEnd) -> None:
    """Train all trials, as many at once as this machine has cores for, and call `on_end` as each ends.

    Scores of an earlier try are reported again from the trials' folders, so that the scheduler has them.

    Raises: LaunchError if Ray does not start.
    """
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # the driver handles Ctrl-C and SIGTERM
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    cluster = trials[0].config["cluster"]
    most = max(trial.config["trainer"]["max_epochs"] for trial in trials)
    scheduler = ASHAScheduler(
        time_attr="epoch",
        max_t=most + 1,  # beyond the last epoch: a trial that gets there ends by itself and stores its model
        grace_period=max(1, most // REDUCTION**2),
        reduction_factor=REDUCTION,
    )
    resources = {"cpu": min(cluster["threads_per_worker"], available_cores()), "gpu": cluster["gpus_per_worker"]}
    by_folder = {str(trial.run_dir): trial for trial in trials}
    trainable = partial(_train, trials=by_folder, data_dir=data_dir, data_digest=data_digest)
    start(available_cores(), log_to_driver=False, logging_level="WARNING", object_store_memory=STORE_BYTES)
    try:
        tune.Tuner(
            tune.with_resources(trainable, resources),
            param_space={"folder": tune.grid_search(list(by_folder))},
            tune_config=tune.TuneConfig(metric="score", mode="max", scheduler=scheduler),
            run_config=tune.RunConfig(storage_path=str(storage), callbacks=[_end_callback(on_end)], verbose=0),
        ).fit()
    finally:
        ray.shutdown()


def _train(point: dict[str, str], *, trials: dict[str, Trial], data_dir: Path, data_digest: str) -> None:
    """Train one trial in a process of its own, from its newest checkpoint on."""
    from ray import tune

    from pipeline.tracking.run import log_start
    from pipeline.training.fit import fit

    trial, reported = trials[point["folder"]], 0
    bits.choose(trial.config["cluster"])

    def report(events: list[Event]) -> None:
        nonlocal reported
        for event in events:
            score = PrimaryMetric.of(event.get("metrics", {}), "val")
            if score and event["epoch"] + 1 > reported:  # a resumed trial repeats epochs
                reported = event["epoch"] + 1
                tune.report({"epoch": reported, "score": score.value})

    with follow(trial.run_dir, report):
        if not trial.ended:
            log_start(trial.run_dir, trial.facts)
            fit(trial.config, data_dir=data_dir, run_dir=trial.run_dir, data_digest=data_digest)


def _end_callback(on_end: OnEnd) -> "Callback":
    """A callback of Tune that calls `on_end` for each trial."""
    from ray.tune import Callback

    class EndCallback(Callback):  # type: ignore[misc]
        """Reports the end of trials; one that was stopped early has completed, too."""

        def __init__(self, on_end: OnEnd):
            self.on_end = on_end  # not of the closure, which is pickled with the class

        def __getstate__(self) -> dict[str, object]:
            return {}  # Tune pickles its callbacks and `on_end` can't be; nothing restores this one

        def on_trial_complete(self, iteration: int, trials: object, trial: "TuneTrial", **info: object) -> None:
            self._report(trial, None)

        def on_trial_error(self, iteration: int, trials: object, trial: "TuneTrial", **info: object) -> None:
            error = trial.get_error()
            cause = getattr(error, "cause", None) or error
            self._report(trial, (str(cause).strip().splitlines() or [repr(cause)])[-1])

        def _report(self, trial: "TuneTrial", error: str | None) -> None:
            last = trial.last_result or {}
            self.on_end(Path(trial.config["folder"]), last.get("epoch", 0), error)

    return EndCallback(on_end)

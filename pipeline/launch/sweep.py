"""Many trials side by side under Ray Tune; those that fall behind the others on validation are stopped (ASHA)."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.launch.cluster import cores, start
from pipeline.runs import events as run_events
from pipeline.types import PrimaryMetric

REDUCTION = 3  # of the trials that come so far, one in three goes on
STORE_BYTES = 100 * 2**20  # of Ray's object store; nothing large is put there


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration (checked, resolved, plain data) and the folder it is trained in."""

    run_dir: Path
    config: dict[str, Any]
    facts: dict[str, Any]  # of its run in MLflow
    ended: bool  # in an earlier try: only tells again what its folder holds


Ended = Callable[[Path, int, str | None], None]  # a trial's folder, the epochs it was trained, why it failed


def run(trials: Sequence[Trial], *, data_dir: Path, data_digest: str, storage: Path, ended: Ended) -> None:
    """Train all trials, as many at once as this machine has cores for, and call `ended` as each ends.

    What a trial told in an earlier try is told again, from its folder, so that the scheduler knows as much as before.

    Raises: LaunchError if Ray does not start.
    """
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # Ctrl-C and SIGTERM are the driver's
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    cluster = trials[0].config["cluster"]
    most = max(trial.config["trainer"]["max_epochs"] for trial in trials)
    scheduler = ASHAScheduler(
        time_attr="epoch",
        max_t=most + 1,  # beyond the last epoch: a trial that gets there ends by itself, its model stored
        grace_period=max(1, most // REDUCTION**2),
        reduction_factor=REDUCTION,
    )
    wanted = {"cpu": min(cluster["threads_per_worker"], cores()), "gpu": cluster["gpus_per_worker"]}
    known = {str(trial.run_dir): trial for trial in trials}
    trainable = partial(_train, trials=known, data_dir=data_dir, data_digest=data_digest)
    start(cores(), log_to_driver=False, logging_level="WARNING", object_store_memory=STORE_BYTES)
    try:
        tune.Tuner(
            tune.with_resources(trainable, wanted),
            param_space={"folder": tune.grid_search(list(known))},
            tune_config=tune.TuneConfig(metric="score", mode="max", scheduler=scheduler),
            run_config=tune.RunConfig(storage_path=str(storage), callbacks=[_watcher(ended)], verbose=0),
        ).fit()
    finally:
        ray.shutdown()


def _train(chosen: dict[str, Any], *, trials: dict[str, Trial], data_dir: Path, data_digest: str) -> None:
    """One trial, in a process of its own; goes on from its newest checkpoint."""
    from ray import tune

    from pipeline.tracking.run import announce
    from pipeline.training.fit import fit

    trial, told = trials[chosen["folder"]], 0

    def tell(events: list[run_events.Event]) -> None:
        nonlocal told
        for event in events:
            score = PrimaryMetric.of(event.get("metrics", {}), "val")
            if score and event["epoch"] + 1 > told:  # a trial that went on repeats epochs
                told = event["epoch"] + 1
                tune.report({"epoch": told, "score": score.value})

    with run_events.follow(trial.run_dir, tell):
        if not trial.ended:
            announce(trial.run_dir, trial.facts)
            fit(trial.config, data_dir=data_dir, run_dir=trial.run_dir, data_digest=data_digest)


def _watcher(ended: Ended) -> Any:
    from ray.tune import Callback

    class Watcher(Callback):  # type: ignore[misc]
        """Passes on how trials end; one that was stopped early has completed, too."""

        def __init__(self, ended: Ended):
            self.ended = ended

        def __getstate__(self) -> dict[str, Any]:
            return {}  # Tune stores its callbacks; this one holds what can't be, and nobody restores it

        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            self._tell(trial, None)

        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            error = trial.get_error()
            cause = getattr(error, "cause", None) or error
            self._tell(trial, (str(cause).strip().splitlines() or [repr(cause)])[-1])

        def _tell(self, trial: Any, why: str | None) -> None:
            last = trial.last_result or {}
            self.ended(Path(trial.config["folder"]), last.get("epoch", 0), why)

    return Watcher(ended)

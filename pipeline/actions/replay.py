"""Train a recorded run again, whole or in part, with the code of one tree; a script that `reproduce` runs.

`python -P replay.py TREE FOLDER` with TREE as PYTHONPATH, which may be another commit's, in the folder of the project.
FOLDER/request.json holds the run's configuration or its overrides, and where to stop; FOLDER/outcome.json gets what the
repetition depended on and gave. The model and its trail are left in FOLDER/model.
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from pipeline.types import Config

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

    from pipeline.types import Event


class Request(TypedDict):
    """The training to repeat: a resolved configuration or overrides of the tree's own, perhaps a checkpoint."""

    config: Config | None
    overrides: list[str]
    steps: int | None  # after which training ends; None for the whole training and its test
    checkpoint: str | None


class Outcome(TypedDict, total=False):
    """The facts that the repetition depended on, and its metrics; `error` if it was not possible."""

    code: str | None
    lock: str | None
    environment: dict[str, str | None]
    metrics: dict[str, float]
    error: str
    kind: str  # of error


class Lines:
    """A console for messages of requirements; nobody watches this process."""

    def print(self, line: str) -> None:
        print(line)

    def progress(self, events: "list[Event]") -> None: ...

    def download(self, label: str, done: int, total: int) -> None: ...

    def predictions(self, done: int, total: int) -> None: ...


def replay(request: Request, tree: Path, folder: Path) -> Outcome:
    """Train as requested, and store the model in `folder/model`."""
    from pipeline.actions import requirements
    from pipeline.config import load_config, resolve, training
    from pipeline.kinds import FitContext, kind_of
    from pipeline.launch.cluster import resolve_gpus
    from pipeline.runs import checkpoints, fingerprint, provenance
    from pipeline.runs.requirements import members
    from pipeline.training import cpu
    from pipeline.training.fit import fit

    config = training(request["config"] or resolve(load_config(*request["overrides"], root=tree)))
    # The number of workers changes no weight.
    config["cluster"] |= {"workers": 1, "address": None}
    config["cluster"]["gpus_per_worker"] = resolve_gpus(config["cluster"])
    code = fingerprint.code_of({"fingerprint": fingerprint.parts(config, tree)})
    if request["checkpoint"]:
        state = Path(request["checkpoint"])
        checkpoints.copy(state, folder / "checkpoints" / state.name)
    requirements.fetch(config, folder, tree, Lines())
    data_dir, found = tree / "data", {name: requirements.find(name, tree) for name in members(config)}
    prepare = partial(cut, steps=request["steps"])
    launch = partial(fit, config, data_dir=data_dir, run_dir=folder, prepare=prepare)
    context = FitContext(data_dir, folder, found, launch)
    metrics = kind_of(config).fit(config, context).metrics
    if request["steps"] is None:
        from pipeline.actions.evaluate import evaluate

        metrics = {**metrics, **evaluate(str(folder / "model"), "test", root=tree)["metrics"]}
    lock = provenance.provenance(tree)["lock_digest"]
    return {"code": code, "lock": lock, "environment": cpu.environment(), "metrics": metrics}


def cut(trainer: "Trainer", steps: int | None) -> "Trainer":
    """Let the Trainer stop after optimiser step `steps`, without validation; the schedule stays the whole run's."""
    from lightning.pytorch.callbacks import LambdaCallback

    if steps is None:
        return trainer

    def limit(trainer: "Trainer", task: "LightningModule") -> None:
        trainer.fit_loop.epoch_loop.max_steps = steps

    trainer.limit_val_batches = 0
    trainer.callbacks.append(LambdaCallback(on_train_start=limit))  # type: ignore[attr-defined]
    return trainer


def main(tree: Path, folder: Path) -> None:
    """Answer FOLDER/request.json with FOLDER/outcome.json."""
    from pipeline.errors import PipelineError
    from pipeline.training.cpu import fix_instructions

    fix_instructions()
    request: Request = json.loads((folder / "request.json").read_text())
    try:
        outcome = replay(request, tree, folder)
    except PipelineError as error:
        outcome = {"error": str(error), "kind": type(error).__name__}
    (folder / "outcome.json").write_text(json.dumps(outcome))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

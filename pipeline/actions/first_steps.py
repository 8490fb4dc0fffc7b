"""Train experiments for their first optimiser steps with the code of one tree, and write digests of the weights.

A script that `prove` runs for each of two trees: `python -P first_steps.py TREE FOLDER STEPS MISSING EXPERIMENT…` with
TREE as PYTHONPATH. TREE may be another commit, so the package is imported by name and at run time only (`PLACES`).
FOLDER holds `conf` and `data` of that tree; models, caches and results are written into it.
"""

import gc
import hashlib
import json
import os
import re
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:  # at run time the package is another commit's
    from lightning.pytorch import Trainer

    from pipeline.tasks.task import Task
    from pipeline.types import Config, FitResult

VERSION = 2  # raised where the same code gives other weights: since 2, OpenBLAS uses AVX2
TEACHER_TEXTS = 300  # predicted by a net; their rows are repeated for the other texts, which would take 10 minutes
TEXTS_AT_ONCE = 5000  # that a teacher predicts together
WHOLE = 1000  # samples, of all epochs together, up to which a run is trained to its end

# Names used here: the modules that define each in some layout of the package, newest first, and its names there.
CONFIG, CHECKPOINTS = "pipeline.config", "pipeline.runs.checkpoints pipeline.checkpoint"
UNTRAINED = "pipeline.training.untrained pipeline.training.fixed_unit"
PLACES = {
    **{name: (CONFIG, name) for name in ("load_config", "resolve", "training", "build_data")},
    **{name: (CHECKPOINTS, name) for name in ("copy", "publish", "save_tensors")},
    "fix_instructions": ("pipeline.training.cpu pipeline.processor", "fix_instructions"),
    "fit": ("pipeline.training.fit pipeline.fit", "fit"),
    "fit_baseline": ("pipeline.training.baselines pipeline.baselines", "fit"),
    "assemble": (f"{UNTRAINED} pipeline.untrained pipeline.actions.untrained", "assemble"),
    "load": ("pipeline.kinds pipeline.ensemble", "load"),
    "init_from": (CHECKPOINTS, "INIT_FROM START"),  # a folder's name
    "teacher": (CHECKPOINTS, "TEACHER TAUGHT"),
}
WEIGHTS, GRAMS = "model.safetensors", "grams.txt"


class StepsResult(TypedDict, total=False):
    """The file that is written for an experiment: digests of its weights, or why there are none."""

    weights: str
    tensors: dict[str, str]  # type, shape and digest by name
    steps: int
    seconds: float
    missing: str  # the data set that no source has
    error: str


@cache
def place(name: str) -> Any:
    """Return the function or constant of the tree's package that has this name in `PLACES`.

    Raises: LookupError if none of its places exists.
    """
    modules, attributes = (words.split() for words in PLACES[name])
    for module in modules:
        try:
            found = import_module(module)
        except ModuleNotFoundError as error:
            if not f"{module}.".startswith(f"{error.name}."):
                raise
            continue
        for attribute in attributes:
            if hasattr(found, attribute):
                return getattr(found, attribute)
    raise LookupError(f"{name}: not in {', '.join(modules)}. Add its new place to PLACES in {__file__}.")


def parents(config: "Config") -> dict[str, list[str]]:
    """Return the required models (EXPERIMENT-SEED) under members, init_from and teacher; reads both spellings."""
    requires, model, teacher = config["requires"], config["model"] or {}, config["data"].get("teacher")
    if not isinstance(requires, dict):  # a list of judges, which only evaluation needs
        stored = teacher if isinstance(teacher, str) else None
        requires = {"members": model.get("of"), "init_from": model.get("start"), "teacher": stored}
    roles = {role: requires[role] for role in ("members", "init_from", "teacher") if requires.get(role)}
    return {
        role: list(_with_seeds([named] if isinstance(named, str) else named, config["seed"]))
        for role, named in roles.items()
    }


def _with_seeds(names: list[str], seed: int) -> Iterator[str]:
    """Yield EXPERIMENT-SEED for each name: the i-th of k equal ones has the seed k * seed + i."""
    for index, name in enumerate(names):
        number = seed * names.count(name) + names[:index].count(name)
        yield name if re.fullmatch(r".+-\d+", name) else f"{name}-{number}"


class Side:
    """The code of one tree: `model` trains a model and the models that it requires, in `folder`."""

    def __init__(self, folder: Path, steps: int):
        self.folder, self.data_dir, self.steps = folder, folder / "data", steps
        self.models = folder / f"models-{steps}"

    def config(self, experiment: str, seed: int = 0) -> "Config":
        """Return the resolved configuration of an experiment, on one thread of a CPU."""
        composed = place("load_config")(f"experiment={experiment}", f"seed={seed}", root=self.folder)
        config: Config = place("training")(place("resolve")(composed))
        config["cluster"].update(gpus_per_worker=0, threads_per_worker=1)
        return config

    def model(self, name: str) -> Path:
        """Return the model folder of EXPERIMENT-SEED, which is trained if it does not exist."""
        run_dir = self.models / name
        if not (run_dir / "model").is_dir():
            experiment, _, seed = name.rpartition("-")
            aside = self.models / f".{name}"  # a part that an earlier process left is not resumed
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(parents=True)
            result = self.train(self.config(experiment, int(seed)), aside)
            (aside / "steps").write_text(str(result.steps))
            for rest in aside.iterdir():
                if rest.is_dir() and rest.name != "model":
                    shutil.rmtree(rest)
            aside.rename(run_dir)
            gc.collect()
        return run_dir / "model"

    def train(self, config: "Config", run_dir: Path) -> "FitResult":
        """Store a model in `run_dir/model`, after the first steps of its run; a baseline after its whole fit."""
        _seed_everything()
        needs = parents(config)
        where = {"data_dir": self.data_dir, "run_dir": run_dir}
        if "members" in needs or "_target_" not in config["model"]:
            members = {name: self.model(name) for name in needs.get("members", ())}
            assembled: FitResult = place("assemble")(config, members, **where)
            return assembled
        if _is_baseline(config):
            fitted: FitResult = place("fit_baseline")(config, **where)
            return fitted
        for name in needs.get("init_from", ()):
            place("copy")(self.model(name), run_dir / place("init_from"))
        for name in needs.get("teacher", ()):
            self._predict(name, config, run_dir / place("teacher"))
        prepare = partial(cut, steps=self.steps, batch=config["data"]["batch_size"])
        result: FitResult = place("fit")(config, **where, prepare=prepare)
        if not result.steps:
            raise RuntimeError("no optimiser step was made")
        return result

    def _predict(self, teacher: str, config: "Config", folder: Path) -> None:
        """Store a teacher's predictions for the unlabelled texts; a net's for the first texts, repeated."""
        import torch

        data = place("build_data")(config, self.data_dir)
        texts = list((getattr(data, "unlabelled", None) or data.unlabeled_texts)())  # its former name and today's
        model = place("load")(self.model(teacher))
        predict = getattr(model, "texts", None) or model.text_probabilities  # its former name and today's
        chosen = texts if _is_baseline(self.config(teacher.rpartition("-")[0])) else texts[:TEACHER_TEXTS]
        parts = [predict(chosen[start : start + TEXTS_AT_ONCE]) for start in range(0, len(chosen), TEXTS_AT_ONCE)]
        found_NK = torch.cat([torch.as_tensor(part) for part in parts]).float()
        rows_NK = found_NK[torch.arange(len(texts)) % len(found_NK)]
        place("publish")(folder, lambda aside: place("save_tensors")({folder.name: rows_NK}, aside / WEIGHTS))

    def result(self, experiment: str) -> StepsResult:
        """Return digests of an experiment's weights with seed 0; for an ensemble, of its members' in their order."""
        started = time.perf_counter()
        config = self.config(experiment)
        folders = [self.model(name) for name in parents(config).get("members") or [f"{experiment}-0"]]
        found = {
            f"{index}/{name}" if len(folders) > 1 else name: described
            for index, folder in enumerate(folders)
            for name, described in weights(folder).items()
        }
        steps = [int((folder.parent / "steps").read_text()) for folder in folders]
        seconds = round(time.perf_counter() - started, 1)
        return {"weights": digest(found), "tensors": found, "steps": max(steps), "seconds": seconds}


def _is_baseline(config: "Config") -> bool:
    return "baselines." in str((config["model"] or {}).get("_target_"))


def cut(trainer: "Trainer", steps: int, batch: int) -> "Trainer":
    """Let the Trainer stop after `steps` optimiser steps, without validation; the schedule stays the whole run's."""
    from lightning.pytorch.callbacks import LambdaCallback

    def limit(trainer: "Trainer", task: "Task") -> None:
        if task.total_steps * batch > WHOLE:
            trainer.fit_loop.epoch_loop.max_steps = steps

    trainer.limit_val_batches = 0
    trainer.callbacks.append(LambdaCallback(on_train_start=limit))  # type: ignore[attr-defined]
    return trainer


def weights(folder: Path) -> dict[str, str]:
    """Return type, shape and SHA-256 of each tensor in a model folder, by name, and of a baseline's n-grams."""
    file, found = folder / WEIGHTS, {}
    with file.open("rb") as content:
        size = int.from_bytes(content.read(8), "little")
        header = json.loads(content.read(size))
        header.pop("__metadata__", None)
        for name, about in header.items():
            begin, end = about["data_offsets"]
            content.seek(8 + size + begin)
            found[name] = f"{about['dtype']} {about['shape']} {hashlib.sha256(content.read(end - begin)).hexdigest()}"
    if (folder / GRAMS).is_file():
        found[GRAMS] = hashlib.sha256((folder / GRAMS).read_bytes()).hexdigest()
    return found


def digest(tensors: dict[str, str]) -> str:
    """Return a SHA-256 over names, types, shapes and bytes, sorted by name."""
    return hashlib.sha256("\n".join(f"{name} {tensors[name]}" for name in sorted(tensors)).encode()).hexdigest()


def _seed_everything() -> None:
    """Give every run the same random state, independent of the runs before it in this process."""
    import random

    import numpy as np
    import torch

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


def write(file: Path, find: Callable[[], StepsResult]) -> None:
    """Write the result of `find`, or its error, so that the file is whole or absent."""
    try:
        content = find()
    except Exception as error:
        traceback.print_exc()
        text = next(iter(str(error).splitlines()), "")
        content = {"error": f"{type(error).__name__}: {text[:300]}"}
    aside = file.with_suffix(".new")
    aside.write_text(json.dumps(content, indent=1) + "\n")
    aside.replace(file)


def main(tree: Path, folder: Path, steps: int, missing: list[str], experiments: list[str]) -> None:
    """Write FOLDER/steps-STEPS/EXPERIMENT.json for each experiment without one."""
    package = import_module("pipeline")
    if not Path(str(package.__file__)).resolve().is_relative_to(tree.resolve()):
        raise SystemExit(f"{package.__file__} was imported, expected the package of {tree}. Set PYTHONPATH={tree}.")
    place("fix_instructions")()
    side, results = Side(folder, steps), folder / f"steps-{steps}"
    results.mkdir(exist_ok=True)

    def find(experiment: str) -> StepsResult:
        name = side.config(experiment)["data"]["name"]
        return {"missing": name} if name in missing else side.result(experiment)

    for experiment in experiments:
        if not (results / f"{experiment}.json").is_file():
            write(results / f"{experiment}.json", partial(find, experiment))


if __name__ == "__main__":
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4].split(","), sys.argv[5:])

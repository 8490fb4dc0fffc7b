"""Write the runs that `dvc repro` records, from the seeds in `params.yaml` and the experiments' required models."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from pipeline.config import load_config, resolve
from pipeline.data import store
from pipeline.errors import ConfigError
from pipeline.files import atomic_write
from pipeline.runs.requirements import names

FILE = "runs.yaml"
HEADER = """\
# The runs that `dvc repro` records, for `foreach` in dvc.yaml. Written by `pipeline stages` from the seeds in
# params.yaml and the `requires` of each experiment; do not edit.
"""
MOST = 2  # required models a run: DVC can't template a list of dependencies, so dvc.yaml has two of them


def write(root: Path) -> Path:
    """Write runs.yaml.

    Raises: ConfigError for an unknown experiment, or one that requires more than two models.
    """
    path = root / FILE
    atomic_write(path, content(root))
    return path


def compared(stage: str, root: Path) -> list[str]:
    """Return the runs EXPERIMENT-SEED whose evaluations a stage of dvc.yaml compares; none without such a stage."""
    file = root / "dvc.yaml"
    stages = yaml.safe_load(file.read_text())["stages"] if file.is_file() else {}
    deps = stages.get(stage, {}).get("deps", ())
    return [f"{run[1]}-{run[2]}" for dep in deps if (run := re.fullmatch(r"evaluations/(\w+)/(\d+)", dep))]


def content(root: Path) -> str:
    """Return the text of runs.yaml, a line a run."""
    seeds = yaml.safe_load((root / "params.yaml").read_text())["seeds"]
    lines = [
        f"  {name}: {_flow(run)}" for experiment, count in seeds.items() for name, run in _runs(experiment, count, root)
    ]
    return HEADER + "\n".join(["runs:", *lines]) + "\n"


def _runs(experiment: str, count: int, root: Path) -> Iterator[tuple[str, dict[str, object]]]:
    config = resolve(load_config(f"experiment={experiment}", root=root))
    name = config["data"]["name"]
    # Data that packages contain or programs generate has no manifest: its digest and code are in the fingerprint.
    data = f"prepared/{name}.json" if name in store.FILES else f"prepared/fingerprint/{experiment}.json"
    for seed in range(count):
        required = [f"models/{name}" for name in names({**config, "seed": seed})]
        if len(required) > MOST:
            raise ConfigError(
                f"conf/experiment/{experiment}.yaml: requires {len(required)} models, dvc.yaml has places for {MOST}. "
                f"Add a place to its stage `train` and to MOST in {__name__}."
            )
        # An unused place repeats what every run depends on anyway.
        places = [*required, *[data] * (MOST - len(required))]
        yield f"{experiment}-{seed}", {"experiment": experiment, "seed": seed, "data": data, "requires": places}


def _flow(run: dict[str, object]) -> str:
    return yaml.safe_dump(run, default_flow_style=True, sort_keys=False, width=1000).strip()

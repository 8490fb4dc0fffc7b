"""Fingerprints: the configuration, data, packages and code that a result depends on; the one definition of "same code".

Code is compared as syntax trees without comments, formatting and docstrings, packages as the locked versions of what is
imported at run time. `dvc.yaml` has its stages depend on these files: a stage runs again exactly if one changes.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict

from pipeline import config as configuration
from pipeline.config import METRICS, SOURCE_KEYS, Config, cluster_settings, load_config, resolve, weight_settings
from pipeline.config.kind import Does, Kind, kind_name, task_of
from pipeline.config.targets import module_of
from pipeline.data import store
from pipeline.runs import requirements
from pipeline.runs.imports import Modules
from pipeline.runs.packages import locked
from pipeline.runs.syntax import code_digest

if TYPE_CHECKING:  # records have a fingerprint
    from pipeline.runs.records import RunRecord

__all__ = [
    "as_text",
    "changes",
    "code_digest",
    "code_of",
    "evaluation",
    "identity",
    "parts",
    "training",
    "write",
]

# Entry modules by kind of model.
TRAINED_BY: dict[Kind, str] = {
    "net": "pipeline.training.fit",
    "baseline": "pipeline.training.baselines",
    "ensemble": "pipeline.training.fixed_unit",
    "fixed unit": "pipeline.training.fixed_unit",
}
# Which instructions the libraries use decides the last bits of a result. No entry module imports this: the command does
# so first, because numpy and torch read the choice when they are imported.
INSTRUCTIONS = "pipeline.training.cpu"
LOADED_BY: dict[Kind, str] = {
    "net": "pipeline.inference.predictor",
    "baseline": "pipeline.inference.baseline",
    "ensemble": "pipeline.inference.ensemble",
    "fixed unit": "pipeline.inference.predictor",
}
# These import what every kind needs, so they are hashed, and what one kind needs of them is listed here.
SHARED = ("pipeline.actions.assess", "pipeline.config.kind", "pipeline.kinds")
DETAILS = "pipeline.report.details"
SCORED_BY: dict[Does, tuple[str, ...]] = {
    "generate": (
        "pipeline.inference.generator",
        "pipeline.evaluation.generation",
        "pipeline.evaluation.classification_accuracy_score",
        DETAILS,
    ),
    "translate": ("pipeline.inference.translator", "pipeline.evaluation.translation", DETAILS),
    "model language": ("pipeline.inference.language_model",),
}
CLASSIFIER = (
    "pipeline.evaluation.classification",
    "pipeline.evaluation.robustness",
    "pipeline.inference.attribution",
    "pipeline.inference.foreign",
    "pipeline.report.image_grids",
    DETAILS,
)
READS_TEXTS = "pipeline.inference.text_classifier"  # loads a net whose inputs have no shape
# The first three provide data, which is verified byte by byte against the digest in the fingerprint; the others draw
# figures, which no result holds.
LEFT_OUT = {
    "pipeline.data.store",
    "pipeline.data.download",
    "pipeline.data.mirrors",
    "pipeline.report.figures",
    "pipeline.report.markdown",
}
LOCK = "requirements.lock"  # of versions


class Training(TypedDict):
    """Training's dependencies but for the seed."""

    config: Config
    data: str | None  # digest
    requires: dict[str, str]  # identities by name
    packages: dict[str, str]  # versions by name
    code: dict[str, str]  # digests by module


class Evaluation(TypedDict):
    """Scoring's dependencies beside the stored models: the judge's is one, if it has one."""

    packages: dict[str, str]
    code: dict[str, str]
    metrics: NotRequired[Mapping[str, object]]  # of one's own


class Parts(TypedDict, total=False):
    """A training fingerprint as a run's record holds it; a record lacks the parts that it is not compared by."""

    code: dict[str, str]
    configuration: str
    data: str | None
    packages: dict[str, str]


def write(root: Path, folder: Path) -> list[str]:
    """Write FOLDER/EXPERIMENT.json (training) and FOLDER/evaluation/EXPERIMENT.json; the names of the experiments."""
    (folder / "evaluation").mkdir(parents=True, exist_ok=True)
    experiments = sorted(file.stem for file in (root / "conf/experiment").glob("*.yaml"))
    for experiment in experiments:
        config = resolve(load_config(f"experiment={experiment}", root=root))
        for place, content in ((folder, training(config, root)), (folder / "evaluation", evaluation(config, root))):
            (place / f"{experiment}.json").write_text(as_text(content))
    return experiments


def as_text(content: Training | Evaluation) -> str:
    """The file of a fingerprint, as `write` writes it."""
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def training(config: Config, root: Path) -> Training:
    """Training's dependencies but for the seed: the resolved configuration, digests of data and code, packages."""
    kept = {key: config[key] for key in ("name", "data", "model", "trainer", "cluster", "requires")}
    kept["data"] = {key: value for key, value in config["data"].items() if key not in SOURCE_KEYS}
    # The machine, the number of workers and the frequency of checkpoints change no weight.
    kept["cluster"] = cluster_settings(config["cluster"])
    kept["trainer"] = weight_settings(config["trainer"])
    name, targets = config["data"]["name"], list(_targets(kept))  # a metric decides no weight
    modules = Modules()
    found = modules.closure([TRAINED_BY[kind_name(config)], INSTRUCTIONS, *_modules(targets)], left_out=LEFT_OUT)
    return {
        "config": kept,
        "data": store.digest(name) if name in store.FILES else None,
        "requires": {name: identity(_configured(name, root), root) for name in requirements.built_on(config)},
        "packages": locked(modules.packages(found, targets), root / LOCK),
        "code": {module: source.digest for module, source in found.items()},
    }


def evaluation(config: Config, root: Path) -> Evaluation:
    """Scoring's dependencies beside the stored models: code, packages, and metrics of one's own."""
    others = {*requirements.members(config), *filter(None, [requirements.judge(config)])}
    scored = [config, *(_configured(model, root) for model in sorted(others))]
    metrics = config.get(METRICS, {})
    own = _modules(_targets([metrics, *([each["data"], each["model"].get("net", each["model"])] for each in scored)]))
    loader, does = LOADED_BY[kind_name(config)], task_of(config).does
    entries = [loader, *SCORED_BY.get(does, CLASSIFIER)]
    if (kind_name(config), does) == ("net", "classify") and not config["data"].get("in_shape"):
        entries.append(READS_TEXTS)
    leaves = set(SHARED) - {loader}
    modules = Modules()
    found = modules.closure([*entries, *leaves, *own], leaves, LEFT_OUT)
    content: Evaluation = {
        "packages": locked(modules.packages(found), root / LOCK),
        "code": {module: source.digest for module, source in found.items()},
    }
    return {**content, "metrics": metrics} if metrics else content


def identity(config: Config, root: Path) -> str:
    """SHA-256 of the training fingerprint and the seed: of two runs of one identity, one can resume the other."""
    return _sha256({**training(config, root), "seed": config["seed"]})


def parts(config: Config, root: Path) -> Parts:
    """The training fingerprint as a run's record holds it, to be compared part by part with `changes`."""
    found = training(config, root)
    content = {key: value for key, value in found["config"].items() if key != "name"}  # a sweep has its own
    return {
        "code": found["code"],
        "configuration": _sha256({**content, "seed": config["seed"]}),
        "data": found["data"],
        "packages": found["packages"],
    }


def changes(then: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """The parts that differ, each with what differs in it; a part that either lacks is not compared."""
    return [
        f"{part}: {_change(then[part], value)}"
        for part, value in now.items()
        if then.get(part) and value and then[part] != value
    ]


def code_of(record: "RunRecord") -> str | None:
    """One digest of all the code that a run's record names; None if it was written before records had a fingerprint."""
    code = record.get("fingerprint", {}).get("code")
    return _sha256(code) if code else None


def _configured(model: str, root: Path) -> Config:
    """The configuration of the model EXPERIMENT-SEED."""
    experiment, _, seed = model.rpartition("-")
    return configuration.training(resolve(load_config(f"experiment={experiment}", f"seed={seed}", root=root)))


def _targets(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield str(node["_target_"])
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _targets(item)


def _modules(targets: Iterable[str]) -> list[str]:
    return [module for target in targets if (module := module_of(target))]


def _change(then: object, now: object) -> str:
    if not isinstance(then, dict) or not isinstance(now, dict):
        return f"{str(then)[:12]} then, {str(now)[:12]} now"
    names = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _sha256(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

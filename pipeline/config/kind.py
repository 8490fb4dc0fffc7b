"""The kind of the configured model, and the task of its net: decided here and nowhere else.

`pipeline.kinds` holds the behaviour of each kind, `pipeline.runs.fingerprint` its dependencies.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pipeline.config.targets import lineage
from pipeline.errors import ConfigError
from pipeline.types import Config

Kind = Literal["ensemble", "baseline", "net", "fixed unit"]
Does = Literal["classify", "classify frozen features", "translate", "generate", "model language"]

# The first kind that a configuration fits is its kind.
FITS: dict[Kind, Callable[[Config], bool]] = {
    "ensemble": lambda config: bool(config["requires"].get("members")),
    "baseline": lambda config: config["model"].get("_target_", "").startswith("pipeline.training.baselines."),
    "net": lambda config: "_target_" in config["model"],
    "fixed unit": lambda config: "net" in config["model"],
}


@dataclass(frozen=True, slots=True)
class Task:
    """The use of a net that a task trains, and whether several workers can share its training."""

    does: Does = "classify"
    distributes: bool = True


TASKS = {  # all others classify
    "pipeline.tasks.transfer.Transfer": Task("classify frozen features"),
    "pipeline.tasks.online.Online": Task(distributes=False),  # its rule takes one sample after the other
    "pipeline.tasks.seq2seq.Translation": Task("translate"),
    "pipeline.tasks.gan.GAN": Task("generate"),
    "pipeline.tasks.language_modelling.LanguageModelling": Task("model language"),
}


def kind_name(config: Config) -> Kind:
    """The kind of the configured model.

    Raises: ConfigError if the configuration describes none.
    """
    for kind, fits in FITS.items():
        if fits(config):
            return kind
    raise ConfigError(f"{config['name']}: no model is configured. Choose one with model=…, or set requires.members.")


def task_of(config: Config) -> Task:
    """The task of the configured net; of a class of one's own, that of the first base that is in `TASKS`."""
    return next((TASKS[name] for name in lineage(config["model"].get("_target_", "")) if name in TASKS), Task())


def model_name(config: Config) -> str:
    """The model in one word, as lists of runs show it: cnn, lstm (a recurrent net's cell), tfidf_logistic, ensemble.

    Raises: ConfigError if the configuration describes no model.
    """
    kind = kind_name(config)
    if kind == "ensemble":
        return kind
    model = config["model"]
    net = model if kind == "baseline" else model.get("net", model)
    target = str(net.get("cell") or net.get("_target_") or model.get("_target_", kind)).rpartition(".")[2]
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", target).lower()

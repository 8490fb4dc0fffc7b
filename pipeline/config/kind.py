"""What kind of model a configuration describes, and what its net is trained to do: decided here and nowhere else.

`pipeline.kinds` says what each kind does, `pipeline.runs.fingerprint` what each depends on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.errors import ConfigError

Config = dict[str, Any]
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
    """What a net that was trained by a task does, and whether several workers can share its training."""

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
    raise ConfigError(f"{config['name']}: describes no model. Choose one with model=…, or set requires.members.")


def task_of(config: Config) -> Task:
    """What the configured net is trained to do."""
    return TASKS.get(config["model"].get("_target_"), Task())

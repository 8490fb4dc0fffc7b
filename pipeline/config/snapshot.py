"""A configuration as plain data: flattened, written down without secrets, read back, and its digest."""

import hashlib
import json
from typing import TYPE_CHECKING, TypedDict

from pipeline.config.compose import COMPOSING, resolve, unresolved
from pipeline.config.redaction import redact_tree
from pipeline.config.schema import METRICS, SOURCE_KEYS
from pipeline.errors import ConfigError
from pipeline.types import Config

if TYPE_CHECKING:
    from omegaconf import DictConfig


class StoredConfig(TypedDict):
    """A configuration as a run's folder holds it."""

    resolved: Config
    unresolved: Config


def training(config: Config) -> Config:
    """The part of a configuration that training and the stored model receive: nothing that could hold a secret."""
    kept = {key: config[key] for key in ("name", "requires", "seed", "data", "model", "trainer", "cluster")}
    kept |= {METRICS: config[METRICS]} if config.get(METRICS) else {}
    return {**kept, "data": {**kept["data"], "mirror": None}} if "mirror" in kept["data"] else kept


def stored(config: "DictConfig") -> StoredConfig:
    """The configuration as it may be written down, resolved and not: no password, and nothing from the environment."""
    from omegaconf import OmegaConf
    from omegaconf.resolvers import oc

    def as_text(*words: object) -> str:
        return f"${{oc.env:{','.join('null' if word is None else str(word) for word in words)}}}"

    with COMPOSING:
        OmegaConf.register_new_resolver("oc.env", as_text, replace=True)
        try:
            resolved = resolve(config)
        finally:
            OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)
    return {"resolved": _redacted(resolved), "unresolved": _redacted(unresolved(config))}


def _redacted(config: Config) -> Config:
    return {key: redact_tree(value, key) for key, value in config.items()}


def revive(plain: Config) -> Config:
    """Resolve a configuration that `stored` wrote down.

    Raises: ConfigError if the environment lacks a variable that it refers to.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        return resolve(OmegaConf.create(plain))
    except OmegaConfBaseException as error:
        raise ConfigError(f"{' '.join(str(error).split())}. Set it as it was when the run began.") from error


def digest(config: Config) -> str:
    """SHA-256 of everything that decides a model's weights.

    Left out are the judge, the tracking store, the place of the data, the checkpoints that are kept, and how many
    workers there are on which devices. In digests of older results workers are 1 and `trainer.shards` is absent.
    """
    kept = {key: config[key] for key in ("seed", "model")}
    kept["requires"] = {key: names for key, names in config["requires"].items() if names and key != "judge"}
    kept["trainer"] = weight_settings(config["trainer"])
    kept["cluster"] = {**cluster_settings(config["cluster"]), "workers": 1}
    kept["data"] = {key: value for key, value in config["data"].items() if key not in (*SOURCE_KEYS, "path")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def cluster_settings(cluster: Config) -> Config:
    """The cluster's settings that decide weights: threads, and bits if they are not the default."""
    kept = {"threads_per_worker": cluster["threads_per_worker"]}
    return {**kept, "bits": "portable"} if cluster.get("bits") == "portable" else kept


def weight_settings(trainer: Config) -> Config:
    """The trainer's settings that decide weights: not how often it stores its state, nor a single shard."""
    return {
        key: value for key, value in trainer.items() if "checkpoint" not in key and not (key == "shards" and value == 1)
    }

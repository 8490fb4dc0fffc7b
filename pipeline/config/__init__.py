"""From the user's overrides to one checked configuration: the names that other packages use."""

from pipeline.config.checks import check, check_name, check_precision, check_targets, flatten
from pipeline.config.compose import conf_dir, find_root, load_config, resolve, unresolved
from pipeline.config.instantiate import build, build_data
from pipeline.config.schema import SOURCE_KEYS
from pipeline.config.snapshot import digest, revive, stored, training, weight_settings
from pipeline.types import Config

__all__ = [
    "SOURCE_KEYS",
    "Config",
    "build",
    "build_data",
    "check",
    "check_name",
    "check_precision",
    "check_targets",
    "conf_dir",
    "digest",
    "find_root",
    "flatten",
    "load_config",
    "resolve",
    "revive",
    "stored",
    "training",
    "unresolved",
    "weight_settings",
]

"""From the user's overrides to one checked configuration: the names that other packages use."""

from pipeline.config.checks import check, check_name, check_precision, check_targets, flatten
from pipeline.config.compose import conf_dirs, load_config, packaged_conf, resolve, unresolved
from pipeline.config.instantiate import build, build_data
from pipeline.config.schema import METRICS, SOURCE_KEYS
from pipeline.config.snapshot import cluster_settings, digest, revive, stored, training, weight_settings
from pipeline.config.source import find_root, use_project
from pipeline.types import Config

__all__ = [
    "METRICS",
    "SOURCE_KEYS",
    "Config",
    "build",
    "build_data",
    "check",
    "check_name",
    "check_precision",
    "check_targets",
    "cluster_settings",
    "conf_dirs",
    "digest",
    "find_root",
    "flatten",
    "load_config",
    "packaged_conf",
    "resolve",
    "revive",
    "stored",
    "training",
    "unresolved",
    "use_project",
    "weight_settings",
]

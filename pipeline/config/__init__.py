"""From what the user chose to one checked configuration; what other packages use of it."""

from pipeline.config.compose import (
    SOURCE_KEYS,
    build,
    build_data,
    check,
    check_targets,
    conf_dir,
    deciding,
    digest,
    find_root,
    flatten,
    load_config,
    resolve,
    revive,
    stored,
    training,
    unresolved,
)

__all__ = [
    "SOURCE_KEYS",
    "build",
    "build_data",
    "check",
    "check_targets",
    "conf_dir",
    "deciding",
    "digest",
    "find_root",
    "flatten",
    "load_config",
    "resolve",
    "revive",
    "stored",
    "training",
    "unresolved",
]

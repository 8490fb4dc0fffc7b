"""Composing `conf/` and the user's overrides to one checked configuration: the only place that composes with Hydra.

`load_config` composes and resolves, `checks` compares the result with the schema and the allow-list of `_target_`s.
Nothing here imports torch: a mistyped key is answered at once.
"""

import os
import re
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config.checks import check
from pipeline.config.hydra_errors import explain
from pipeline.config.overrides import check_overrides
from pipeline.config.redaction import redact
from pipeline.config.source import PACKAGE, project_of
from pipeline.errors import ConfigError
from pipeline.types import Config

if TYPE_CHECKING:  # Hydra and OmegaConf are imported when they compose
    from omegaconf import DictConfig as DictConfig  # for those who annotate what `load_config` returns
    from omegaconf import ListConfig

# Hydra's composition and OmegaConf's resolvers are global to the process; the app composes in several threads.
COMPOSING = threading.RLock()
DEFAULT_EXPERIMENT = re.compile(r"^\s*- experiment:", re.MULTILINE)
LATER = "later"  # in the place of an address: events wait in the run's folder until another machine sends them
TRACKING_URI = re.compile(r"\$\{oc\.env:(MLFLOW_TRACKING_URI),(.*)\}")


def conf_dirs(root: Path | None) -> list[Path]:
    """The folders of configurations, the first of which has `config.yaml`; a group's file is taken from the first.

    A project's own `conf/` comes before the package's, which has what it lacks. On a cluster it is what was sent.
    """
    own, packaged = project_of(PACKAGE.parent) or (project_of(root) if root else None), packaged_conf()
    if own is None:
        return [root / "conf" if root and (root / "conf/config.yaml").is_file() else packaged]
    conf = own.root / "conf"
    return [conf, packaged] if (conf / "config.yaml").is_file() else [packaged, *([conf] if conf.is_dir() else [])]


def packaged_conf() -> Path:
    """The package's own `conf/`: in an installed package, or beside it in a checkout."""
    places = (PACKAGE / "conf", PACKAGE.parent / "conf")
    return next(place for place in places if (place / "config.yaml").is_file())


def load_config(*overrides: str, root: Path | None = None, config_dir: Path | None = None) -> "DictConfig":
    """Compose and check a configuration of the project; `config_dir` is searched, too, for the user's own files.

    Safe to call from several threads.

    Returns: a DictConfig, interpolations unresolved (so that what is logged holds no secret).
    Raises: ConfigError for an override that can't be read or has no effect, an unknown file, key, type, range or
    `_target_`; DataError if data that must be counted can't be read.
    """
    if config_dir is not None and not config_dir.is_dir():
        raise ConfigError(
            f"--config-dir {config_dir}: no such folder. Give the folder that holds your data/, model/, …"
        )
    folders = [*conf_dirs(root), *([config_dir] if config_dir else [])]
    check_overrides(overrides, folders)
    others = ",".join(_quoted(f"file://{folder.absolute()}") for folder in folders[1:])
    search = [f"hydra.searchpath=[{others}]"] if others else []
    groups = {override.partition("=")[0] for override in overrides}
    recipe = "model" in groups and "experiment" not in groups and DEFAULT_EXPERIMENT.search(_text(folders[0]))
    without_recipe = ["~experiment"] if recipe else []  # it is its model's
    with COMPOSING:
        return _load([*overrides, *without_recipe, *search], overrides, folders, root or Path.cwd())


def _text(folder: Path) -> str:
    return (folder / "config.yaml").read_text(encoding="utf-8")


def _load(words: list[str], overrides: tuple[str, ...], folders: list[Path], root: Path) -> "DictConfig":
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    _register_counts_in(root)
    config = None
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(folders[0])):
            config = compose("config", overrides=words)
        _fix_tracking_uri(config)
        check(resolve(config))
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        raise explain(error, overrides, folders, config) from error
    return config


def _quoted(text: str) -> str:
    """A text in Hydra's double quotes."""
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"'


def _register_counts_in(root: Path) -> None:
    """Let `${classes_in:PATH}` and `${shape_in:PATH}` be counted from a user's data; PATH is relative to the project.

    The columns of a table may follow: `${classes_in:PATH,TEXT,LABEL}`.
    """
    from omegaconf import OmegaConf

    look = "pipeline.data.own.look"  # imported only where there is something to count

    def classes_in(path: str, text: str | None = None, label: str | None = None) -> int:
        module = import_module(look)
        return len(module.classes(root / Path(path).expanduser(), module.Columns(text, label)))

    def shape_in(path: str) -> "ListConfig":
        return OmegaConf.create(import_module(look).shape_of(root / Path(path).expanduser()))

    OmegaConf.register_new_resolver("classes_in", classes_in, replace=True)
    OmegaConf.register_new_resolver("shape_in", shape_in, replace=True)


def _fix_tracking_uri(config: "DictConfig") -> None:
    """Write the value of MLFLOW_TRACKING_URI into a configuration that refers to it: resume finds the same store.

    An address that holds a password stays a reference, as does `later`, which another machine replaces. An empty
    variable counts as unset, as MLflow has it.
    """
    variable = TRACKING_URI.fullmatch(str(unresolved(config).get("tracking", {}).get("uri")))
    if variable and os.environ.get(variable[1]) != LATER:
        uri = os.environ.get(variable[1]) or variable[2]
        config.tracking.uri = uri if redact(uri) == uri else f"${{oc.env:{variable[1]}}}"


def resolve(config: "DictConfig") -> Config:
    """The configuration as plain data, interpolations filled in, as `fit` takes it."""
    from omegaconf import OmegaConf

    with COMPOSING:
        plain: Config = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    return plain


def unresolved(config: "DictConfig") -> Config:
    """The configuration as plain data with its interpolations as text, as it is logged."""
    from omegaconf import OmegaConf

    plain: Config = OmegaConf.to_container(config, resolve=False)
    return plain

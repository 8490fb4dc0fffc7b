"""From what the user chose to one checked configuration: the only place that composes and instantiates with Hydra.

`load_config` composes `conf/` and the user's overrides, `check` holds the result against `SCHEMA` and the allow-list
of `_target_`s, `build` turns a checked node into an object. Nothing here imports torch: a typo is answered at once.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.config.redaction import redact_tree
from pipeline.config.schema import CLOSED_GROUPS, REQUIRES, SCHEMA, Rule
from pipeline.config.source import PACKAGE
from pipeline.config.targets import THEIRS, allowed, parameters
from pipeline.errors import ConfigError, PipelineError


def find_root(start: Path) -> Path | None:
    """The project that contains `start`: the nearest folder with `conf/config.yaml` and `data.dvc`."""
    folders = [start, *start.parents]
    return next((f for f in folders if (f / "conf/config.yaml").is_file() and (f / "data.dvc").is_file()), None)


def conf_dir(root: Path | None) -> Path:
    """The project's `conf/`, else the one that the installed package carries (beside it in an editable install)."""
    places = [*([root / "conf"] if root else []), PACKAGE / "conf", PACKAGE.parent / "conf"]
    return next(place for place in places if (place / "config.yaml").is_file())


def load_config(*overrides: str, root: Path | None = None, config_dir: Path | None = None) -> Any:
    """Compose and check a configuration; `config_dir` is searched beside `conf/` for the user's own files.

    Returns: a DictConfig, interpolations unresolved (so that what is logged holds no secret).
    Raises: ConfigError for an unknown file, key, type, range or `_target_`.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    folder = conf_dir(root)
    if config_dir is not None and not config_dir.is_dir():
        raise ConfigError(
            f"--config-dir {config_dir}: no such folder. Give the folder that holds your data/, model/, …"
        )
    search = [f"hydra.searchpath=[file://{config_dir.absolute()}]"] if config_dir else []
    folders = [folder, *([config_dir] if config_dir else [])]
    _check_choices(overrides, folders)
    groups = {override.partition("=")[0] for override in overrides}
    if "model" in groups and "experiment" not in groups:
        overrides = (*overrides, "~experiment")  # a recipe belongs to its model
    _count_classes(root or Path.cwd())
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(folder)):
            config = compose("config", overrides=[*overrides, *search])
        check(resolve(config))
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        raise _explain(error, overrides, folder) from error
    return config


def _count_classes(root: Path) -> None:
    """Let `${classes_in:PATH}` stand for how many classes there are in a folder or archive, relative to the project."""
    from omegaconf import OmegaConf

    archive = "pipeline.data.archive"  # imported only where there is something to count
    OmegaConf.register_new_resolver("classes_in", lambda p: len(import_module(archive).classes(root / p)), replace=True)


def resolve(config: Any) -> dict[str, Any]:
    """The configuration as plain data, interpolations filled in: what `fit` is given."""
    from omegaconf import OmegaConf

    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    return plain


def unresolved(config: Any) -> dict[str, Any]:
    """The configuration as plain data with its interpolations as text: what is logged."""
    from omegaconf import OmegaConf

    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=False)
    return plain


def training(config: dict[str, Any]) -> dict[str, Any]:
    """The part of a configuration that training and the stored model are given: nothing that could hold a secret."""
    kept = {key: config[key] for key in ("name", "requires", "seed", "data", "model", "trainer", "cluster")}
    return {**kept, "data": {**kept["data"], "mirror": None}} if "mirror" in kept["data"] else kept


def stored(config: Any) -> dict[str, Any]:
    """The configuration as it may be written down, resolved and not: no password, and nothing from the environment."""
    from omegaconf import OmegaConf
    from omegaconf.resolvers import oc

    def as_text(*words: Any) -> str:
        return f"${{oc.env:{','.join('null' if word is None else str(word) for word in words)}}}"

    OmegaConf.register_new_resolver("oc.env", as_text, replace=True)
    try:
        resolved = resolve(config)
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)
    return {"resolved": redact_tree(resolved), "unresolved": redact_tree(unresolved(config))}


def revive(plain: dict[str, Any]) -> dict[str, Any]:
    """A configuration that was written down, resolved.

    Raises: ConfigError if the environment lacks what it had then.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        return resolve(OmegaConf.create(plain))
    except OmegaConfBaseException as error:
        raise ConfigError(f"{' '.join(str(error).split())}. Set it as it was when the run began.") from error


def digest(config: dict[str, Any]) -> str:
    """SHA-256 of all that decides a model's weights.

    Left out are its judge, where it is tracked, where its data stands, which checkpoints are kept, and how many workers
    run it on which devices. One shard counts as none, and workers as one, as in the digests of older results.
    """
    kept = {key: config[key] for key in ("seed", "model")}
    kept["requires"] = {key: names for key, names in config["requires"].items() if names and key != "judge"}
    kept["trainer"] = deciding(config["trainer"])
    kept["cluster"] = {"threads_per_worker": config["cluster"]["threads_per_worker"], "workers": 1}
    kept["data"] = {key: value for key, value in config["data"].items() if key not in (*SOURCE_KEYS, "path")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def deciding(trainer: dict[str, Any]) -> dict[str, Any]:
    """The settings of a trainer that decide weights: not how often it stores its state, nor a single shard."""
    return {
        key: value for key, value in trainer.items() if "checkpoint" not in key and not (key == "shards" and value == 1)
    }


SOURCE_KEYS = ("mirror", "allow_sample", "sample")  # where data may come from; the data module never sees them


def flatten(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested dicts as `a.b.c`, value."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def check(config: dict[str, Any]) -> None:
    """Raises: ConfigError for the first key whose type, range or `_target_` is not allowed."""
    for key, value in flatten(config):
        if value == {}:
            continue
        rule = SCHEMA.get(key)
        if rule is None and key.split(".")[0] in CLOSED_GROUPS:
            raise ConfigError(f"{key}: no such key.{_closest(key, SCHEMA)} `pipeline config` lists them.")
        if rule and (problem := rule.problem(value)):
            raise ConfigError(f"{key}: {problem}, got {value!r}. Set it with `{key}=…`.")
    check_targets(config)


def check_targets(node: Any, path: str = "") -> None:
    """Raises: ConfigError if a `_target_` anywhere below is not on the allow-list, or takes no such argument."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            check_targets(item, f"{path}[{index}]")
    if not isinstance(node, dict):
        return
    if "_target_" in node:
        _check_call(node, path)
    for key, value in node.items():
        check_targets(value, f"{path}.{key}" if path else str(key))


def build(node: dict[str, Any], **extra: Any) -> Any:
    """The object that a node describes, its `_target_`s checked again (a stored file may have been changed).

    Raises: ConfigError where the constructor refuses its arguments.
    """
    import hydra.utils
    from hydra.errors import InstantiationException

    check_targets(node)
    try:
        return hydra.utils.instantiate(node, **extra, _convert_="all")
    except InstantiationException as error:
        if isinstance(error.__cause__, PipelineError):
            raise error.__cause__ from error
        raise ConfigError(f"{node['_target_']}: {error.__cause__ or error}. See `pipeline config`.") from error


def build_data(config: dict[str, Any], folder: Path) -> Any:
    """The configured data module, reading from the data folder `folder`."""
    node = {key: value for key, value in config["data"].items() if key not in SOURCE_KEYS}
    return build(node, folder=folder, seed=config["seed"])


def _check_call(node: dict[str, Any], path: str) -> None:
    target = str(node["_target_"])
    if not allowed(target):
        raise ConfigError(
            f"{path}._target_: {target!r} may not be called. Allowed: a class or function defined in pipeline/models, "
            f"pipeline/tasks, pipeline/data or pipeline/training/baselines.py, {', '.join(sorted(THEIRS))}."
        )
    if (accepted := parameters(target)) is None:
        return
    for key, value in node.items():
        if key in ("_target_", "_partial_") or (path == "data" and key in SOURCE_KEYS):
            continue
        if key not in accepted:
            raise ConfigError(f"{path}.{key}: {target} takes no such argument.{_closest(key, accepted, path)}")
        annotation = accepted[key].removesuffix(" | None")
        simple = {"int": int, "float": float, "bool": bool, "str": str}.get(annotation)
        if simple and (problem := Rule(simple, null=annotation != accepted[key]).problem(value)):
            raise ConfigError(f"{path}.{key}: {problem}, got {value!r}. Set it with `{path}.{key}=…`.")


def _check_choices(overrides: tuple[str, ...], folders: list[Path]) -> None:
    """Raises: ConfigError for `group=name` where the group has no such file."""
    for override in overrides:
        key, _, value = override.partition("=")
        group = key.lstrip("+~").partition("@")[0]
        options = sorted({file.stem for folder in folders for file in (folder / group).glob("*.yaml")}) if group else []
        if options and value not in (*options, "null"):
            raise ConfigError(
                f"{override}: no such {group}.{_closest(value, options)} There are: {', '.join(options)}."
            )


def _explain(error: Exception, overrides: tuple[str, ...], folder: Path) -> ConfigError:
    """Hydra's and OmegaConf's errors in this project's form: the override at fault, and the nearest known key."""
    if isinstance(error.__cause__, PipelineError):  # of counting the classes
        return ConfigError(str(error.__cause__))
    text = " ".join(str(error).split())
    unknown = re.search(r"Could not override '([^']+)'", text) or re.search(r"Key '([^']+)' is not in struct", text)
    if unknown:
        if unknown[1].removeprefix("requires.") in REQUIRES:
            return ConfigError(f"{unknown[1]}: not set in this configuration. Add it with `+{unknown[1]}=…`.")
        known = [key for key, _ in flatten(_composed(error.__cause__))]
        return ConfigError(f"{unknown[1]}: no such key.{_closest(unknown[1], known)} `pipeline config` lists them.")
    return ConfigError(f"{' '.join(overrides) or folder}: {text}. See `pipeline config`.")


def _composed(error: BaseException | None) -> dict[str, Any]:
    """The configuration as far as it was composed when OmegaConf met a key that is not there."""
    node = getattr(error, "parent_node", None)
    if node is None:
        return {}
    return {key: value for key, value in unresolved(node._get_root()).items() if key != "hydra"}


def _closest(word: str, known: Any, path: str = "") -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean {f'{path}.' if path else ''}{near[0]}?" if near else ""

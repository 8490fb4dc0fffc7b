"""Checks of a composed configuration: its keys, types, ranges, names, and the classes that it may name."""

import difflib
from collections.abc import Iterable, Iterator, Mapping

from pipeline.config.schema import (
    ALWAYS_SET,
    CLOSED_GROUPS,
    GROUPS,
    METRICS,
    NAME,
    SCHEMA,
    SOURCE_KEYS,
    TOP_LEVEL,
    Rule,
)
from pipeline.config.targets import allowed, of_torch, parameters, refusal
from pipeline.errors import ConfigError
from pipeline.types import Config


def flatten(tree: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """The leaves of nested dicts as `a.b.c`, value."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def check(config: Config) -> None:
    """Raises: ConfigError for the first key that is unknown or missing, or whose type, range or `_target_` is wrong."""
    for key in config:
        if key not in (*TOP_LEVEL, METRICS):
            raise _no_such_key(str(key))
    for key in (*TOP_LEVEL, *ALWAYS_SET):
        if not _holds(config, key):
            raise ConfigError(f"{key}: not set, and every run needs it. Leave out `~{key}`, or set it with `{key}=…`.")
    for key in (*GROUPS, METRICS):
        if not isinstance(config.get(key, {}), dict):
            raise ConfigError(f"{key}: expected keys below it, got {config[key]!r}. `pipeline config` lists them.")
    for key, value in flatten(config):
        if value == {} and key in TOP_LEVEL:
            continue
        rule = SCHEMA.get(key)
        if rule is None and key.split(".")[0] in CLOSED_GROUPS:
            raise _no_such_key(key)
        if rule and (problem := rule.problem(value)):
            raise ConfigError(f"{key}: {problem}, got {value!r}. Set it with `{key}=…`.")
    for name, metric in config.get(METRICS, {}).items():
        if not (isinstance(metric, dict) and "_target_" in metric and metric.get("_partial_") is True):
            raise ConfigError(f"{METRICS}.{name}: expected `_target_: …` and `_partial_: true`, got {metric!r}.")
    check_precision(config)
    check_targets(config)


def _no_such_key(key: str) -> ConfigError:
    return ConfigError(f"{key}: no such key.{suggest(key, [*SCHEMA, *TOP_LEVEL])} `pipeline config` lists them.")


def _holds(config: Config, key: str) -> bool:
    """Whether a dotted key is in a configuration."""
    node: object = config
    for part in key.split("."):
        if not isinstance(node, dict) or part not in node:
            return False
        node = node[part]
    return True


def check_precision(config: Config) -> None:
    """Raises: ConfigError if float16 is asked of CPUs, where Lightning would quietly take bfloat16 instead.

    With `cluster.gpus_per_worker=auto` nothing is known yet: check again once the number is.
    """
    if config["trainer"]["precision"] == "16-mixed" and config["cluster"]["gpus_per_worker"] == 0:
        raise ConfigError(
            "trainer.precision: 16-mixed needs a GPU, and this run has none (cluster.gpus_per_worker=0). "
            "Use trainer.precision=bf16-mixed or 32-true."
        )


def check_name(key: str, name: object) -> None:
    """Raises: ConfigError if a name can't be that of a folder, a file and a model in the registry."""
    if problem := NAME.problem(name):
        raise ConfigError(f"{key}: {problem}, got {name!r}. Choose another name.")


def check_targets(node: object, path: str = "") -> None:
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


def _check_call(node: Config, path: str) -> None:
    target = str(node["_target_"])
    if not allowed(target):
        raise ConfigError(f"{path}._target_: {refusal(target)}")
    if (accepted := parameters(target)) is None:
        return
    unknown = [key for key in node if key not in ("_target_", "_partial_", *accepted)]
    if unknown and of_torch(target):
        raise ConfigError(
            f"{', '.join(f'{path}.{key}' for key in unknown)}: {target} takes no such argument. It takes: "
            f"{', '.join(accepted)}. Remove the others with {' '.join(f'`~{path}.{key}`' for key in unknown)}."
        )
    for key, value in node.items():
        if key in ("_target_", "_partial_") or (path == "data" and key in SOURCE_KEYS):
            continue
        if key not in accepted:
            near = suggest(key, accepted, path) or f" Leave it out (with `~{path}.{key}` where a file sets it)."
            raise ConfigError(f"{path}.{key}: {target} takes no such argument.{near}")
        annotation = accepted[key].removesuffix(" | None")
        simple = {"int": int, "float": float, "bool": bool, "str": str}.get(annotation)
        if simple and (problem := Rule(simple, null=annotation != accepted[key]).problem(value)):
            raise ConfigError(f"{path}.{key}: {problem}, got {value!r}. Set it with `{path}.{key}=…`.")


def suggest(word: str, known: Iterable[str], path: str = "", ends_at: str = ".") -> str:
    """` Did you mean KEY?` for the known key whose last part (after `ends_at`) is the most like the word's; else ""."""
    by_last: dict[str, list[str]] = {}
    for key in known:
        by_last.setdefault(key.rpartition(ends_at)[2], []).append(key)
    near = difflib.get_close_matches(word.rpartition(ends_at)[2], by_last, n=1, cutoff=0.6)
    if not near:
        return ""
    key = max(by_last[near[0]], key=lambda key: difflib.SequenceMatcher(None, word, key).ratio())
    return f" Did you mean {f'{path}.' if path else ''}{key}?"

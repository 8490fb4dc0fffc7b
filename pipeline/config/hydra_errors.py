"""Hydra's and OmegaConf's errors in this project's words: what, where, what was found, what to do next."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config.checks import flatten, suggest
from pipeline.config.overrides import choices
from pipeline.config.schema import REQUIRES
from pipeline.errors import ConfigError, PipelineError
from pipeline.types import Config

if TYPE_CHECKING:
    from omegaconf import DictConfig

REFERENCE = re.compile(r"\$\{([a-z_]+)\.(\w+)")  # ${data.in_shape}


def explain(
    error: Exception, overrides: Sequence[str], folders: list[Path], config: "DictConfig | None"
) -> PipelineError:
    """The error to raise instead; an error of ours that was raised inside an interpolation is that one itself.

    `config` is the configuration if it was composed and could not be resolved, else None.
    """
    for cause in _causes(error):
        if isinstance(cause, PipelineError):
            return cause
    text = " ".join(str(error).split())
    if unknown := re.search(r"Could not override '([^']+)'|Key '([^']+)' is not in struct", text):
        return _unknown_key(unknown[1] or unknown[2], error)
    if missing := re.search(r"Missing mandatory value: (\S+)(?: full_key: (\S+))?", text):
        key = missing[2] if missing[2] and missing[2].endswith(f".{missing[1]}") else missing[1]
        return ConfigError(f"{key}: not set, and there is no default. Set it with `{key}=…`.")
    absent = re.search(r"Interpolation key '(\w+)\.(\w+)' not found full_key: (\S+)", text)
    if absent and config is not None:
        return _unfit(absent[1], absent[2], absent[3], overrides, folders, config)
    if variable := re.search(r"Environment variable '(\w+)' not found", text):
        return ConfigError(f"{variable[1]}: this environment variable is not set. Set it, then try again.")
    return ConfigError(f"{' '.join(overrides) or folders[0]}: {text}. See `pipeline config`.")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that led to it; OmegaConf hides its causes, so its context counts."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _unknown_key(key: str, error: Exception) -> ConfigError:
    if key.removeprefix("requires.") in REQUIRES:
        return ConfigError(f"{key}: not set in this configuration. Add it with `+{key}=…`.")
    known = [known for known, _ in flatten(_composed(error.__cause__))]
    return ConfigError(f"{key}: no such key.{suggest(key, known)} `pipeline config` lists them.")


def _composed(error: BaseException | None) -> Config:
    """The configuration as far as it was composed when OmegaConf met a key that is not there."""
    from omegaconf import OmegaConf

    node = getattr(error, "parent_node", None)
    if node is None:
        return {}
    plain: Config = OmegaConf.to_container(node._get_root(), resolve=False)
    return {key: value for key, value in plain.items() if key != "hydra"}


def _unfit(
    group: str, key: str, place: str, overrides: Sequence[str], folders: list[Path], config: "DictConfig"
) -> ConfigError:
    """The error for a part of a configuration that refers to a key which another part lacks."""
    from omegaconf import OmegaConf

    node = OmegaConf.to_container(config, resolve=False).get(group)
    if not isinstance(node, dict):
        return ConfigError(f"{place}: refers to {group}.{key}, which is not set. See `pipeline config`.")
    typed = {word.partition("=")[0]: word for word in overrides}
    chosen = typed.get(group) or f"{group}={node.get('name', '?')}"
    part = place.partition(".")[0]
    having = [name for name in choices(group, folders) if key in _top_keys(group, name, folders)]
    fitting = [
        name
        for name in choices(part, folders)
        if (needed := _references(part, name, group, folders)) and needed <= node.keys()
    ]
    advice = [f"other {group} ({', '.join(having)})"] if having else []
    advice += [f"another {part} ({', '.join(fitting)})"] if fitting else []
    step = f"Choose {' or '.join(advice)}." if advice else f"Set it with `+{group}.{key}=…`."
    return ConfigError(f"{place}: this {part} needs {group}.{key}, which {chosen} does not have. {step}")


def _text(group: str, name: str, folders: list[Path]) -> str:
    files = [folder / group / f"{name}.yaml" for folder in folders]
    file = next((file for file in files if file.is_file()), None)
    return file.read_text(encoding="utf-8") if file else ""


def _with_defaults(group: str, name: str, folders: list[Path]) -> str:
    """The text of a file and of those of its group that it builds on."""
    text = _text(group, name, folders)
    head = re.search(r"^defaults:\n((?:[ -].*\n)+)", text, re.MULTILINE)
    bases = re.findall(r"-\s+([\w.-]+)\s*(?:#.*)?$", head[1], re.MULTILINE) if head else []
    return "\n".join([*(_with_defaults(group, base, folders) for base in bases if base not in ("_self_", name)), text])


def _top_keys(group: str, name: str, folders: list[Path]) -> set[str]:
    return set(re.findall(r"^(\w+):", _with_defaults(group, name, folders), re.MULTILINE))


def _references(group: str, name: str, target: str, folders: list[Path]) -> set[str]:
    """The keys of the group `target` that a file refers to."""
    found = REFERENCE.findall(_with_defaults(group, name, folders))
    return {key for other, key in found if other == target}

"""Checks of overrides before Hydra reads them: choices that exist, values that parse, settings that have an effect."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.config.checks import suggest
from pipeline.config.schema import SCHEMA
from pipeline.errors import ConfigError


def check_overrides(overrides: Sequence[str], folders: list[Path]) -> None:
    """Raises: ConfigError for the first override that Hydra can't read, or that has no effect.

    `folders` hold the groups: `conf/` and the user's own.
    """
    for override in overrides:
        _check_choice(override, folders)
        _check_grammar(override, folders)


def choices(group: str, folders: Iterable[Path]) -> list[str]:
    """The files of a group, by name."""
    return sorted({file.stem for folder in folders for file in (folder / group).glob("*.yaml")}) if group else []


def _check_choice(override: str, folders: list[Path]) -> None:
    """Raises: ConfigError for `group=name` where the group has no such file."""
    key, _, value = override.partition("=")
    group = key.lstrip("+~").partition("@")[0]
    if "=" not in override and not override.startswith("~"):
        raise ConfigError(f"{override}: expected KEY=VALUE.{_missing_key(override, folders)}")
    options = choices(group, folders)
    if options and "=" in override and value not in options and not _is_sweep(value):
        raise ConfigError(f"{override}: no such {group}.{suggest(value, options)} There are: {', '.join(options)}.")


def _is_sweep(value: str) -> bool:
    return "," in value or "(" in value


def _missing_key(word: str, folders: list[Path]) -> str:
    """The group in which a word without a key is a choice, as a suggestion."""
    groups = ("experiment", "data", "model")
    for group in groups:
        if word in choices(group, folders):
            return f" Did you mean `{group}={word}`?"
    if word in SCHEMA:
        return f" Did you mean `{word}=…`?"
    near = suggest(word, [f"{group}={name}" for group in groups for name in choices(group, folders)], ends_at="=")
    return near or " Example: `pipeline train experiment=mnist_cnn seed=1`."


def _check_grammar(override: str, folders: list[Path]) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    key, _, value = override.lstrip("+~").partition("=")
    if not key:
        raise ConfigError(f"{override}: expected KEY=VALUE. `pipeline config` lists the keys.")
    if key.partition(".")[0].partition("/")[0] == "hydra":
        raise ConfigError(f"{override}: Hydra's own settings have no effect here. Leave it out.")
    try:
        parsed = OverridesParser.create().parse_override(override)
    except HydraException as error:
        raise ConfigError(f"{override}: {_quoting(override, key, value)}") from error
    if parsed.is_sweep_override():
        raise ConfigError(
            f"{override}: several values where one is expected. Search them with "
            f"`pipeline sweep {shlex.quote(override)}`{_as_list(key, value, folders)}."
        )


def _as_list(key: str, value: str, folders: list[Path]) -> str:
    """The advice to give several values as a list, where the key may hold one."""
    rule = SCHEMA.get(key)
    single = (rule and not rule.many and not rule.span) or choices(key, folders)
    return "" if single or "(" in value else f", or give a list: {shlex.quote(f'{key}=[{value}]')}"


def _quoting(override: str, key: str, value: str) -> str:
    """The spelling of a value that Hydra's grammar can't read as it stands."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    mark = override[: len(override) - len(override.lstrip("+~"))]
    bare = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
    if value[:1] in ("[", "{"):
        return f"can't be read. Write a list as {shlex.quote(f'{mark}{key}=[a,b]')}."
    escaped = bare.replace('"', '\\"')
    quoted = f'{mark}{key}="{escaped}"'
    try:
        if OverridesParser.create().parse_override(quoted).value() != bare:
            return "can't be read. `pipeline config` lists the keys."
    except HydraException:
        return "can't be read. Expected KEY=VALUE; `pipeline config` lists the keys."
    return (
        "can't be read: spaces, quotes, ( ) [ ] { } = # and letters outside ASCII must be quoted twice, for the shell "
        f"and for Hydra. Write {shlex.quote(quoted)}."
    )

"""Usage errors in this project's form: unknown verbs and options, missing arguments, values out of range."""

import difflib
from collections.abc import Sequence
from typing import Any

import typer

from pipeline.config.checks import suggest
from pipeline.config.schema import SCHEMA
from pipeline.errors import ConfigError

# Typer keeps its classes of usage errors in a private module; the base of its one public class stands for all of them.
UsageError: type[Any] = typer.BadParameter.__bases__[0]
UNKNOWN_VERB = "No such command"


def translate(error: Any, words: Sequence[str]) -> ConfigError:
    """Return the error of a command line, `words`, with what was found and the next step."""
    context = error.ctx
    verb = context.command_path if context else "pipeline"
    if option := getattr(error, "option_name", None):
        return ConfigError(_option(option, error, verb, words))
    if error.message.startswith(UNKNOWN_VERB):
        return ConfigError(_verb(error.message.split("'")[1], verb, context.command.commands))
    if type(error).__name__ == "MissingParameter":
        return ConfigError(f"{verb}: argument {error.param.name} is missing. {_example(context.command)}")
    where = _parameter(error) or verb
    return ConfigError(f"{where}: {_lower(error.message)}. `{verb} --help` explains it.")


def _option(option: str, error: Any, verb: str, words: Sequence[str]) -> str:
    """Return the text for an unknown option, or for an option without its value."""
    if type(error).__name__ != "NoSuchOption":
        problem = "takes no value" if "not take" in error.message else "needs a value"
        return f"{option}: {problem}. `pipeline VERB --help` lists a verb's options."
    found = f"{option}: no such option of `{verb}`."
    if _takes_overrides(error.ctx):
        key, dashes = option.lstrip("-"), "Configuration is written without dashes"
        if _is_key(key):
            return f"{found} {dashes}: `{key}={_value(option, words)}`."
        guess = _guess(option, error) or suggest(key.replace("-", "_"), SCHEMA)
        return f"{found}{guess} {dashes}: `KEY=VALUE`; `pipeline config` lists the keys."
    return f"{found}{_guess(option, error)} `{verb} --help` lists the options."


def _guess(option: str, error: Any) -> str:
    close = difflib.get_close_matches(option, error.possibilities or (), 1, cutoff=0.7)
    return f" Did you mean {close[0]}?" if close else ""


def _verb(name: str, group: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    guess = f" Did you mean `{group} {close[0]}`?" if close else ""
    return f"{name}: no such verb.{guess} `{group} --help` lists the verbs."


def _takes_overrides(context: typer.Context) -> bool:
    return any(parameter.name == "overrides" for parameter in context.command.params)


def _is_key(key: str) -> bool:
    """Whether this is a configuration key or group, or starts as one."""
    return key.partition(".")[0] in {"experiment", *(known.partition(".")[0] for known in SCHEMA)}


def _value(option: str, words: Sequence[str]) -> str:
    """Return what was given as the option's value, as `--key=VALUE` or `--key VALUE`."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name == option:
            return value if equals else following or "…"
    return "…"


def _parameter(error: Any) -> str:
    """Return the name of the option or argument that has a wrong value."""
    if hint := getattr(error, "param_hint", None):
        return str(hint)
    parameter = getattr(error, "param", None)
    return str(parameter.opts[0]) if parameter else ""


def _example(command: Any) -> str:
    """Return the line of a verb's help that shows how it is used."""
    _, found, example = (command.help or "").partition("Example: ")
    return f"Example: `{example.splitlines()[0].strip()}`." if found else f"`{command.name} --help`."


def _lower(message: str) -> str:
    """Return a sentence as it stands after a colon, without its full stop."""
    return f"{message[:1].lower()}{message[1:]}".rstrip(".")

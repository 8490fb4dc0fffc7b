"""Reference pages of the verbs, generated from the command line's own definition."""

from pathlib import Path
from typing import Any

from typer.main import get_command

from pipeline.cli.command import app

VALUES = {int: "NUMBER", float: "NUMBER", Path: "PATH"}


def verbs(command: Any = None, name: str = "") -> dict[str, Any]:
    """Return every verb with its command: `train`, `data pull`, …"""
    command = command or get_command(app)
    inner = getattr(command, "commands", None)
    if inner is None:
        return {name: command}
    return {full: c for key, sub in inner.items() for full, c in verbs(sub, f"{name} {key}".strip()).items()}


def page(verb: str, command: Any) -> str:
    """Return a verb's page in Markdown: what it does, how it is called, its arguments and options."""
    text, _, example = command.help.partition("Example: ")
    summary, _, rest = text.strip().partition("\n\n")
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    words = [f"pipeline {verb}", *(_usage(argument) for argument in arguments), *["[OPTIONS]"] * bool(options)]
    parts = [f"# pipeline {verb}", summary, f"```\n{example.strip()}\n```", rest.strip()]
    parts += ["## Usage", f"```\n{' '.join(words)}\n```"]
    if arguments:
        parts += ["## Arguments", _table("argument", [(f"`{_usage(part)}`", _meaning(part)) for part in arguments])]
    if options:
        parts += ["## Options", _table("option", [(_spelling(part), _meaning(part)) for part in options])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _usage(argument: Any) -> str:
    if argument.metavar:
        return str(argument.metavar)
    name = argument.name.upper()
    return (name if argument.required else f"[{name}]") + ("..." if argument.nargs == -1 else "")


def _spelling(option: Any) -> str:
    value = "" if option.is_flag else f" {option.metavar or VALUES.get(option.type_descriptor.annotation, 'TEXT')}"
    return ", ".join(f"`{word}{value}`" for word in [*option.opts, *option.secondary_opts])


def _meaning(parameter: Any) -> str:
    """Return the help, the range, the default and the environment variable of an argument or option."""
    parts = [parameter.help]
    if parameter.min is not None:
        parts.append(f"From {parameter.min} to {parameter.max}." if parameter.max else f"At least {parameter.min}.")
    if parameter.default is True:
        parts.append(f"Default: `{parameter.opts[0]}`.")
    elif parameter.default not in (None, False):
        parts.append(f"Default: `{parameter.default}`.")
    if parameter.envvar:
        parts.append(f"Environment variable: `{parameter.envvar}`.")
    return " ".join(parts).replace("|", "\\|")


def _table(head: str, rows: list[tuple[str, str]]) -> str:
    cells = [(name.replace("|", "\\|"), meaning) for name, meaning in rows]
    lines = [f"| {head} | meaning |", "| --- | --- |", *(f"| {name} | {meaning} |" for name, meaning in cells)]
    return "\n".join(lines)

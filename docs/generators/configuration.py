"""Reference pages of the configuration, generated from the schema and from the files of conf/."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.config.schema import GROUPS, SCHEMA, TINY, Rule

TYPES = {int: "whole number", float: "number", bool: "true or false", str: "text"}
KEYS_HEAD = """# Configuration keys

Every key with the values it takes, its default and its meaning, generated from `pipeline/config/schema.py`. Other
values are refused before anything runs. Where files of `conf/data/` and `conf/model/` have defaults of their own, the
files are in brackets. Networks and optimisers have arguments of their own: see [models](models.md).

"""
FILES_HEAD = """# {title}

Each is chosen with `{group}=NAME` and is one file of `conf/{group}/`, shown here. Every key can be overridden, as in
`pipeline train {example}`.
"""
EXPERIMENTS_HEAD = """# Experiments

Each is a recipe, one file of `conf/experiment/`: it chooses data and model and sets their values.
[Results](../results.md) has the scores.

| experiment | what it is | train it |
| --- | --- | --- |
"""


def keys_page(conf: Path) -> str:
    """Return the page of all keys of the schema."""
    parts = []
    for group in ("", *GROUPS):
        keys = [key for key in SCHEMA if key.rpartition(".")[0].partition(".")[0] == group]
        rows = [(f"`{key}`", _values(SCHEMA[key]), _default(key, conf), SCHEMA[key].meaning) for key in keys]
        lines = ["| key | values | default | meaning |", "| --- | --- | --- | --- |"]
        lines += [f"| {' | '.join(row)} |" for row in rows]
        parts.append(f"## {group or 'Every run'}\n\n" + "\n".join(lines) + "\n")
    return KEYS_HEAD + "\n".join(parts)


def files_page(group: str, title: str, example: str, conf: Path) -> str:
    """Return the page of a group's files, `data` or `model`, each as it is."""
    parts = [FILES_HEAD.format(group=group, title=title, example=example)]
    for file in sorted((conf / group).glob("*.yaml")):
        parts.append(f"## {group}={file.stem}\n\n```yaml\n{file.read_text(encoding='utf-8').strip()}\n```\n")
    return "\n".join(parts)


def experiments_page(conf: Path) -> str:
    """Return the table of experiments with their descriptions and commands."""
    rows = []
    for file in sorted((conf / "experiment").glob("*.yaml")):
        _, description, command, *_ = file.read_text(encoding="utf-8").splitlines()
        rows.append(f"| `{file.stem}` | {description.lstrip('# ')} | `{command.lstrip('# ')}` |\n")
    return EXPERIMENTS_HEAD + "".join(rows)


def _values(rule: Rule) -> str:
    """Return the values that a rule admits, in words."""
    number = rule.type in (int, float)
    text = f"name ({rule.hint})" if rule.pattern else TYPES[rule.type]
    if rule.choices and not number:
        text = ", ".join(f"`{choice}`" for choice in rule.choices)
    if number and rule.low > -math.inf:
        text += " above 0" if rule.low == TINY else f" from {rule.low:g}"
        text += f" to {rule.high:,}" if rule.high < math.inf else ""
    if rule.choices and number:
        text += "".join(f", or `{choice}`" for choice in rule.choices)
    if rule.many:
        text = f"list: {text}"
    return text + (", `[least,most]`" if rule.span else "") + (", null" if rule.null else "")


def _default(key: str, conf: Path) -> str:
    """Return the default of a key; those of several files with the files' names."""
    group, _, rest = key.partition(".")
    if not rest:
        return _code(yaml.safe_load((conf / "config.yaml").read_text(encoding="utf-8")).get(key))
    if group == "requires":
        return "not set"
    files = {"trainer": ["default"], "cluster": ["local", "ray"], "tracking": ["local"]}.get(group)
    found: dict[str, list[str]] = {}
    for file in sorted((conf / group).glob("*.yaml")):
        value = _lookup(yaml.safe_load(file.read_text(encoding="utf-8")), rest.split("."))
        if value is not MISSING and (files is None or file.stem in files):
            own = str(value).replace("-", "_") == file.stem.replace("-", "_")
            found.setdefault("the file's name" if own else _code(value), []).append(file.stem)
    if len(found) == 1 and (files or "the file's name" in found):
        return next(iter(found))
    return ", ".join(f"{value} ({', '.join(names)})" for value, names in found.items()) or "set by experiments"


MISSING = object()


def _lookup(node: Any, path: Sequence[str]) -> Any:
    for part in path:
        if not isinstance(node, dict) or part not in node:
            return MISSING
        node = node[part]
    return node


def _code(value: Any) -> str:
    return "`null`" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"

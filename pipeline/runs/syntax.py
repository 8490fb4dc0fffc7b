"""Digest of a module's syntax tree, and the module's imports.

Comments, formatting, docstrings and code for type checkers count in neither. The digest is the same for each Python
version.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

# `ctx` follows from the place in the tree; `kind` and the comments have no effect.
MEANINGLESS = {"ctx", "kind", "type_comment", "type_ignores"}


@dataclass(frozen=True, slots=True)
class Source:
    """A module's digest and the modules that it imports; the name of a relative import begins with its dots."""

    digest: str
    empty: bool  # nothing but comments and docstrings
    imports: frozenset[str]  # modules, and what may be modules: names that are imported from others
    whole: frozenset[str]  # those that are imported themselves, not only names of theirs
    exports: dict[str, str] | None  # if it only re-exports names of other modules: each with its module


def code_digest(file: Path) -> str:
    """SHA-256 of a module's syntax tree without comments, formatting, docstrings and other strings that stand alone."""
    return read(file).digest


def read(file: Path) -> Source:
    """Parse a module; each content once."""
    return _read(file.read_bytes())


@cache
def _read(content: bytes) -> Source:
    tree = _tree(ast.parse(content))
    modules, members = set(_imports(tree, members=False)), set(_imports(tree, members=True))
    return Source(
        hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest(),
        "body" not in tree,
        frozenset(modules | members),
        frozenset(members),
        _exports(tree.get("body", [])),
    )


def _exports(body: list[Any]) -> dict[str, str] | None:
    """The names that a module re-exports, if all it does is that: `from … import …` and `__all__`."""
    exports: dict[str, str] = {}
    for node in body:
        if node["node"] == "ImportFrom" and "module" in node:
            exports |= {alias.get("asname", alias["name"]): _dotted(node, "") for alias in node["names"]}
        elif not (node["node"] == "Assign" and node["targets"][0].get("id") == "__all__"):
            return None
    return exports or None


def _tree(node: Any) -> Any:
    """A syntax tree as plain data. Fields that are empty are left out: a newer Python adds such fields."""
    if isinstance(node, list):
        return [_tree(item) for item in _effective(node)]
    if isinstance(node, ast.Constant | ast.MatchSingleton):
        value = node.value if isinstance(node.value, str) else repr(node.value)
        return {"node": type(node).__name__, "type": type(node.value).__name__, "value": value}
    if not isinstance(node, ast.AST):
        return node
    fields = {name: getattr(node, name, None) for name in node._fields if name not in MEANINGLESS}
    if isinstance(node, ast.JoinedStr):
        fields["values"] = list(_merged(node.values))
    content = {name: _tree(value) for name, value in fields.items() if value}
    return {"node": type(node).__name__, **{name: value for name, value in content.items() if value != []}}


def _effective(nodes: Iterable[object]) -> Iterator[object]:
    """Statements that have an effect at run time: no lone strings, no `pass`, nothing for type checkers."""
    for node in nodes:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in (getattr(node.test, key, "") for key in ("id", "attr")):
            yield from _effective(node.orelse)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            continue
        elif not isinstance(node, ast.Pass):
            yield node


def _merged(values: list[ast.expr]) -> Iterator[ast.expr]:
    """The parts of an f-string with neighbouring texts joined: Python versions cut them differently."""
    text = ""
    for value in values:
        if isinstance(value, ast.Constant):
            text += str(value.value)
            continue
        if text:
            yield ast.Constant(text)
        text = ""
        yield value
    if text:
        yield ast.Constant(text)


def _imports(tree: Any, *, members: bool) -> Iterator[str]:
    """The modules of all `from a import b` in a tree (a); with `members` what may be modules: a.b, and `import a`."""
    if isinstance(tree, list):
        for item in tree:
            yield from _imports(item, members=members)
    elif isinstance(tree, dict):
        if tree["node"] == "Import" and members:
            yield from (alias["name"] for alias in tree["names"])
        if tree["node"] == "ImportFrom":
            yield from (_dotted(tree, alias["name"]) for alias in tree["names"]) if members else [_dotted(tree, "")]
        for value in tree.values():
            yield from _imports(value, members=members)


def _dotted(node: dict[str, Any], name: str) -> str:
    """The full name of `from MODULE import NAME`: MODULE.NAME, or MODULE for ""; relative ones keep their dots."""
    module = str(node.get("module", ""))
    return "." * int(node.get("level", 0)) + ".".join(filter(None, (module, name)))

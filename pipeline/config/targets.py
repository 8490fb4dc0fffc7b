"""The classes and functions that a configuration may name: where each is defined, and what it takes.

Ours are read from their modules' source, without running it: a typo is answered at once, and what a module imports may
not be called by its name.
"""

import ast
import re
from functools import cache
from importlib import import_module
from inspect import getfile, getsourcelines
from pathlib import Path

from pipeline.config.source import file_of

OURS = re.compile(r"pipeline\.((?:models|tasks|data(?:\.[a-z]\w*)?)\.[a-z]\w*|training\.baselines)\.([A-Za-z]\w*)")
# Exact names, never prefixes: Hydra would call anything that can be imported.
THEIRS = frozenset(
    {
        "torch.optim.Adam",
        "torch.optim.AdamW",
        "torch.optim.RMSprop",
        "torch.optim.SGD",
        "torch.optim.lr_scheduler.OneCycleLR",
    }
)


def allowed(target: str) -> bool:
    """Whether it may be called."""
    return target in THEIRS or _ours(target) is not None


def locate(target: str) -> tuple[Path, int]:
    """The file and line where what may be called is defined."""
    if found := _ours(target):
        file, definition = found
        return file, definition.lineno
    module, _, name = target.rpartition(".")
    thing = getattr(import_module(module), name)
    return Path(getfile(thing)), getsourcelines(thing)[1]


def parameters(target: str) -> dict[str, str] | None:
    """What one of ours takes, with the annotations, whichever of its bases says so; None if no class of ours does."""
    found = _ours(target)
    return _parameters(*found) if found else None


def _ours(target: str) -> tuple[Path, ast.ClassDef | ast.FunctionDef] | None:
    own = OURS.fullmatch(target)
    file = file_of(f"pipeline.{own[1]}") if own else None
    return _definition(file, own[2]) if own and file else None


def _parameters(file: Path, definition: ast.ClassDef | ast.FunctionDef) -> dict[str, str] | None:
    if isinstance(definition, ast.FunctionDef):
        arguments = [*definition.args.args, *definition.args.kwonlyargs]
        return {a.arg: ast.unparse(a.annotation) if a.annotation else "" for a in arguments if a.arg != "self"}
    for node in definition.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return _parameters(file, node)
    if any("dataclass" in ast.unparse(decorator) for decorator in definition.decorator_list):
        fields = [node for node in definition.body if isinstance(node, ast.AnnAssign)]
        return {ast.unparse(field.target): ast.unparse(field.annotation) for field in fields}
    for base in definition.bases:
        name = ast.unparse(base)
        if found := _definition(_imported(file).get(name, file), name):
            return _parameters(*found)
    return None


def _definition(file: Path, name: str) -> tuple[Path, ast.ClassDef | ast.FunctionDef] | None:
    """What a module defines by that name (not imports), at its top level."""
    nodes = (node for node in _body(file) if isinstance(node, ast.ClassDef | ast.FunctionDef))
    return next(((file, node) for node in nodes if node.name == name), None)


def _imported(file: Path) -> dict[str, Path]:
    """The modules of ours that a module's imported names come from."""
    imports = [node for node in _body(file) if isinstance(node, ast.ImportFrom)]
    return {
        alias.name: source
        for node in imports
        if node.module and (source := file_of(node.module))
        for alias in node.names
    }


@cache
def _body(file: Path) -> list[ast.stmt]:
    return ast.parse(file.read_text(encoding="utf-8")).body

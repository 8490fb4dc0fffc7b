"""The classes and functions that a configuration may name: the place of each definition, and its arguments.

Both are read from source, without running it: a mistyped key is answered at once, and a class that a module of ours
imports can't be called by that module's name.
"""

import ast
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pipeline.config.source import file_of

Definition = ast.ClassDef | ast.FunctionDef

OURS = re.compile(r"pipeline\.((?:models|tasks|data(?:\.[a-z]\w*)?)\.[a-z]\w*|training\.baselines)\.([A-Za-z]\w*)")
# Exact names, never prefixes: Hydra would call anything that can be imported. The values are files below torch/.
THEIRS = {
    "torch.optim.Adam": "optim/adam.py",
    "torch.optim.AdamW": "optim/adamw.py",
    "torch.optim.RMSprop": "optim/rmsprop.py",
    "torch.optim.SGD": "optim/sgd.py",
    "torch.optim.lr_scheduler.OneCycleLR": "optim/lr_scheduler.py",
}


SUPPLIED = ("params", "optimizer")  # arguments that a task passes to an optimiser and to a schedule


def allowed(target: str) -> bool:
    """Whether a configuration may call the target."""
    return target in THEIRS or _ours(target) is not None


def locate(target: str) -> tuple[Path, int]:
    """The file and line of an allowed target's definition."""
    file, definition = _defined(target)
    return file, definition.lineno


def parameters(target: str) -> dict[str, str]:
    """The arguments of an allowed target with their annotations, from the first of its bases that has a constructor."""
    accepted = _parameters(*_defined(target)) or {}
    return {name: annotation for name, annotation in accepted.items() if target not in THEIRS or name not in SUPPLIED}


def _defined(target: str) -> tuple[Path, Definition]:
    if own := _ours(target):
        return own
    torch = find_spec("torch")  # without importing it
    assert torch is not None
    assert torch.origin is not None
    file = Path(torch.origin).parent / THEIRS[target]
    definition = _definition(file, target.rpartition(".")[2])
    assert definition is not None
    return definition


def _ours(target: str) -> tuple[Path, Definition] | None:
    own = OURS.fullmatch(target)
    file = file_of(f"pipeline.{own[1]}") if own else None
    return _definition(file, own[2]) if own and file else None


def _parameters(file: Path, definition: Definition) -> dict[str, str] | None:
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
        if inherited := _definition(_imported(file).get(name, file), name):
            return _parameters(*inherited)
    return None


def _definition(file: Path, name: str) -> tuple[Path, Definition] | None:
    """The class or function of a name that a module defines (not imports) at its top level, and the module's file."""
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

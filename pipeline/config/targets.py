"""The classes and functions that a configuration may name: where each is defined, and its parameters.

Definitions are read from source files, without running them: a typo is reported before torch is imported, and what a
module of the package imports may not be called by its name.
"""

import ast
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pipeline.config.source import file_of

Definition = tuple[Path, ast.ClassDef | ast.FunctionDef]
OURS = re.compile(r"pipeline\.((?:models|tasks|data(?:\.[a-z]\w*)?)\.[a-z]\w*|training\.baselines)\.([A-Za-z]\w*)")
# Exact names, never prefixes: Hydra would call anything that can be imported. Each with its source file in torch.
THEIRS = {
    "torch.optim.Adam": "optim/adam.py",
    "torch.optim.AdamW": "optim/adamw.py",
    "torch.optim.RMSprop": "optim/rmsprop.py",
    "torch.optim.SGD": "optim/sgd.py",
    "torch.optim.lr_scheduler.OneCycleLR": "optim/lr_scheduler.py",
}
SUPPLIED = ("params", "optimizer")  # arguments that a task passes to an optimiser and to a schedule


def allowed(target: str) -> bool:
    """Whether it may be called."""
    return target in THEIRS or _ours(target) is not None


def locate(target: str) -> tuple[Path, int]:
    """The file and line where an allowed target is defined."""
    definition = _theirs(target) if target in THEIRS else _ours(target)
    if definition is None:
        raise LookupError(target)
    file, node = definition
    return file, node.lineno


def parameters(target: str) -> dict[str, str] | None:
    """Parameters that a configuration may set, with their annotations; None if no constructor is found in the source.

    A constructor may be inherited from a class of the package. Of torch's classes, `SUPPLIED` is left out.
    """
    if target in THEIRS:
        definition = _theirs(target)
        accepted = _parameters(*definition) if definition else None
        return accepted and {name: annotation for name, annotation in accepted.items() if name not in SUPPLIED}
    definition = _ours(target)
    return _parameters(*definition) if definition else None


def _theirs(target: str) -> Definition | None:
    torch = find_spec("torch")  # finds the package without importing it
    if torch is None or torch.origin is None:
        return None
    return _definition(Path(torch.origin).parent / THEIRS[target], target.rpartition(".")[2])


def _ours(target: str) -> Definition | None:
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


def _definition(file: Path, name: str) -> Definition | None:
    """The class or function of that name at a module's top level; imported names do not count."""
    nodes = (node for node in _body(file) if isinstance(node, ast.ClassDef | ast.FunctionDef))
    return next(((file, node) for node in nodes if node.name == name), None)


def _imported(file: Path) -> dict[str, Path]:
    """Imported names of a module and the files of the package's modules that they come from."""
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

"""The classes and functions that a configuration may name: the place of each definition, and its arguments.

Both are read from source, without running it: a mistyped key is answered at once, and a class that a module of ours
imports can't be called by that module's name.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path

from pipeline.config.source import current, file_of
from pipeline.errors import ConfigError

OURS = re.compile(r"pipeline\.((?:models|tasks|data(?:\.[a-z]\w*)?)\.[a-z]\w*|training\.baselines)\.([A-Za-z]\w*)")
PUBLIC = re.compile(r"[A-Za-z]\w*(?:\.[A-Za-z]\w*)+")
OPTIMISERS, SCHEDULES = "torch.optim", "torch.optim.lr_scheduler"
# The others of these two families take what a configuration can't give: a closure, sparse gradients, built schedules,
# a metric of each epoch.
UNFIT = {"LBFGS", "Optimizer", "SparseAdam", "ChainedScheduler", "LRScheduler", "ReduceLROnPlateau", "SequentialLR"}
SUPPLIED = ("params", "optimizer")  # arguments that a task passes to an optimiser and to a schedule
WITHOUT_ARGUMENTS = {"object", "nn.Module", "torch.nn.Module", "Module", "ABC", "Protocol"}  # their constructors


@dataclass(frozen=True, slots=True)
class Definition:
    """A class or function at the top level of a module."""

    module: str
    file: Path
    node: ast.ClassDef | ast.FunctionDef


def allowed(target: str) -> bool:
    """Whether a configuration may call the target."""
    return _defined(target) is not None


def of_torch(target: str) -> bool:
    """Whether the target is one of torch's optimisers or schedules."""
    return target.startswith(f"{OPTIMISERS}.") and allowed(target)


def of_project(target: str) -> bool:
    """Whether the target is defined in the project's own packages."""
    own = current()
    return own is not None and target.partition(".")[0] in own.modules and allowed(target)


def module_of(target: str) -> str | None:
    """The module of this package or of the project's that defines an allowed target; None for torch's."""
    found = _defined(target)
    return found.module if found and not target.startswith(f"{OPTIMISERS}.") else None


def refusal(target: str) -> str:
    """Why a target may not be called, and what may."""
    module, _, name = target.rpartition(".")
    own, top = current(), target.partition(".")[0]
    if own and top in own.modules:
        file = file_of(module)
        if file is None:
            return f"{target!r}: {own.root} has no module {module}. Write PACKAGE.MODULE.CLASS."
        names = [definition.node.name for definition in _definitions(module, file)]
        return (
            f"{target!r}: {file} defines no class or function {name}. It defines: {', '.join(names) or 'none'}. "
            "Name the module that defines a class, not one that imports it."
        )
    step = (
        f"To call classes of {top} in {own.root}, add it to `modules` in [tool.lecture-pipeline] of pyproject.toml"
        if own
        else "Classes of your own need a project: `pipeline new my_project`"
    )
    return (
        f"{target!r} may not be called. Allowed: a class or function defined in pipeline/models, pipeline/tasks, "
        f"pipeline/data or pipeline/training/baselines.py, {OPTIMISERS}.*, {SCHEDULES}.*. {step}."
    )


def locate(target: str) -> tuple[Path, int]:
    """The file and line of an allowed target's definition."""
    found = _defined(target)
    assert found is not None
    return found.file, found.node.lineno


def parameters(target: str) -> dict[str, str] | None:
    """The arguments of an allowed target with their annotations, from the first of its bases that has a constructor.

    None if they can't be read from source: a project's class may inherit the constructor of another library.
    """
    found = _defined(target)
    assert found is not None
    accepted = _parameters(found)
    if accepted is None and module_of(target) and not of_project(target):
        return {}
    hidden = SUPPLIED if of_torch(target) else ()
    return None if accepted is None else {name: of for name, of in accepted.items() if name not in hidden}


def lineage(target: str) -> Iterator[str]:
    """Yield a target and the classes that it inherits, as far as this package or the project's define them."""
    yield target
    waiting = [found] if (found := _defined(target)) else []
    while waiting:
        for base in _bases(waiting.pop(0)):
            waiting.append(base)
            yield f"{base.module}.{base.node.name}"


def _defined(target: str) -> Definition | None:
    module, _, name = target.rpartition(".")
    own = current()
    if OURS.fullmatch(target) or (own and target.partition(".")[0] in own.modules and PUBLIC.fullmatch(target)):
        file = file_of(module)
        return _definition(module, file, name) if file else None
    if module in (OPTIMISERS, SCHEDULES) and name[:1].isupper() and name not in UNFIT:
        return _of_torch(module, name)
    return None


@cache
def _of_torch(module: str, name: str) -> Definition | None:
    torch = find_spec("torch")  # without importing it
    assert torch is not None
    assert torch.origin is not None
    folder = Path(torch.origin).parents[1]
    if module == OPTIMISERS:  # each has a module of its own
        imports = (node for node in _body(folder / "torch/optim/__init__.py") if isinstance(node, ast.ImportFrom))
        module = next((str(node.module) for node in imports if name in (alias.name for alias in node.names)), "")
    file = folder / f"{module.replace('.', '/')}.py"
    return _definition(module, file, name) if module.startswith(OPTIMISERS) and file.is_file() else None


def _parameters(found: Definition) -> dict[str, str] | None:
    if isinstance(found.node, ast.FunctionDef):
        return _arguments(found.node)
    for node in found.node.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            passed_on = _inherited(found) if node.args.kwarg else {}
            return None if passed_on is None else {**_arguments(node), **passed_on}
    if any("dataclass" in ast.unparse(decorator) for decorator in found.node.decorator_list):
        fields = [node for node in found.node.body if isinstance(node, ast.AnnAssign)]
        return {ast.unparse(field.target): ast.unparse(field.annotation) for field in fields}
    return _inherited(found)


def _arguments(function: ast.FunctionDef) -> dict[str, str]:
    arguments = [*function.args.args, *function.args.kwonlyargs]
    return {a.arg: ast.unparse(a.annotation) if a.annotation else "" for a in arguments if a.arg != "self"}


def _inherited(found: Definition) -> dict[str, str] | None:
    """The arguments of the first base that has a constructor."""
    for base in _bases(found):
        return _parameters(base)
    assert isinstance(found.node, ast.ClassDef)
    return {} if {ast.unparse(base) for base in found.node.bases} <= WITHOUT_ARGUMENTS else None


def _bases(found: Definition) -> Iterator[Definition]:
    """The bases of a class that this package or the project's define."""
    bases = found.node.bases if isinstance(found.node, ast.ClassDef) else []
    for base in bases:
        module, _, name = ast.unparse(base).rpartition(".")
        names, modules = _imported(found)
        origin, name = (modules.get(module, ""), name) if module else names.get(name, (found.module, name))
        file = found.file if origin == found.module else file_of(origin)
        if file and (definition := _definition(origin, file, name)):
            yield definition


def _definition(module: str, file: Path, name: str) -> Definition | None:
    """The class or function of a name that a module defines (not imports) at its top level."""
    return next((found for found in _definitions(module, file) if found.node.name == name), None)


def _definitions(module: str, file: Path) -> Iterator[Definition]:
    for node in _body(file):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield Definition(module, file, node)


def _imported(found: Definition) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """The names that a module imports, each with its module and its name there; and the modules that it imports."""
    package = found.module if found.file.name == "__init__.py" else found.module.rpartition(".")[0]
    names, modules = dict[str, tuple[str, str]](), dict[str, str]()
    for node in _body(found.file):
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package) if node.level else str(node.module)
            names |= {alias.asname or alias.name: (source, alias.name) for alias in node.names}
            modules |= {alias.asname or alias.name: f"{source}.{alias.name}" for alias in node.names}
    return names, modules


def _body(file: Path) -> list[ast.stmt]:
    """The statements of a module.

    Raises: ConfigError if it is not Python.
    """
    return _parsed(file, file.stat().st_mtime_ns)


@cache
def _parsed(file: Path, changed: int) -> list[ast.stmt]:
    try:
        return ast.parse(file.read_bytes()).body
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ConfigError(f"{file}{line}: not Python ({getattr(error, 'msg', error)}). Correct it.") from error

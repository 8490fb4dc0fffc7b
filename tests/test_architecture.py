"""The import table: who may import whom, and one home for each library."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pipeline"
# From the top down; rooms on a line never import each other.
TABLE = [
    {"__main__"},
    {"cli"},
    {"actions"},
    {"graph"},
    {"app", "launch"},
    {"report"},
    {"kinds"},
    {"training"},
    {"inference"},
    {"tracking", "evaluation"},
    {"runs"},
    {"data", "models", "tasks"},
    {"config"},
    {"plugins"},
    {"types", "files"},
    {"errors"},
]
LEVEL = {room: level for level, rooms in enumerate(TABLE) for room in rooms}
HOMES = {
    "dvc": {"graph"},
    "ray": {"launch"},
    "mlflow": {"tracking"},
    "sklearn": {"training", "data"},
    "scipy": {"training", "data"},
    "hydra": {"config"},
    "omegaconf": {"config"},
    "typer": {"cli"},
    "rich": {"cli"},
    "requests": {"data"},
    "mlxtend": {"data"},
    "safetensors": {"runs", "training", "data", "inference"},
    "wordfreq": {"data"},
    "matplotlib": {"report"},
    "onnx": {"inference", "tracking"},
    "jinja2": {"report"},
    "fastapi": {"app", "launch"},
    "uvicorn": {"app", "launch"},
    "pyarrow": {"data", "runs"},
    "PIL": {"data", "inference", "report"},
    "efficientnet_lite_pytorch": {"models"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def nodes(file: Path) -> list[ast.AST]:
    """Every node of a file's syntax tree."""
    return list(ast.walk(ast.parse(file.read_text())))


def imports(file: Path) -> Iterator[str]:
    """Every module a file imports, at its top or inside a function."""
    for node in nodes(file):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "pipeline":
            yield from (f"pipeline.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_imports_point_strictly_down() -> None:
    wrong = [
        f"{file}: {room(file)} may not import {module}"
        for file in FILES
        if file != PACKAGE / "__init__.py"
        for module in imports(file)
        if module.startswith("pipeline.")
        and (other := module.split(".")[1]) != room(file)
        and LEVEL[other] <= LEVEL[room(file)]
    ]
    assert not wrong


def test_each_library_has_one_home() -> None:
    wrong = [
        f"{file}: {module} belongs in {homes}"
        for file in FILES
        for module in imports(file)
        if (homes := HOMES.get(module.split(".")[0])) and room(file) not in homes
    ]
    assert not wrong


def test_weights_are_read_without_unpickling() -> None:
    unpickling = {"pickle.load", "pickle.loads", "joblib.load", "torch.hub.load"}
    calls = [(file, node) for file in FILES for node in nodes(file) if isinstance(node, ast.Call)]
    for file, node in calls:
        function, words = ast.unparse(node.func), [ast.unparse(word) for word in node.keywords]
        assert function != "torch.load" or "weights_only=True" in words, file
        assert function not in unpickling, file
        assert "allow_pickle=True" not in words, file


def renames(call: ast.Call) -> bool:
    """Whether a call renames or moves a path: str's replace takes two words, dataclasses' takes names."""
    name = ast.unparse(call.func)
    method = name.rpartition(".")[2]
    words = [word.arg for word in call.keywords]
    if name in ("os.replace", "os.rename", "os.renames", "shutil.move"):
        return True
    if method in ("replace", "rename") and isinstance(call.func, ast.Attribute):
        return (len(call.args) == 1 and not words) or words == ["target"]
    return False


def crash_safety(file: Path) -> Iterator[str]:
    """What a file does that `pipeline/files/` does for all."""
    for module in imports(file):
        if module.split(".")[0] == "fcntl":
            yield "imports fcntl"
    for node in nodes(file):
        if isinstance(node, ast.ImportFrom) and node.module in ("os", "shutil"):
            yield from (
                f"imports {alias.name}"
                for alias in node.names
                if alias.name in ("replace", "rename", "renames", "move", "fsync", "fdatasync", "lockf")
            )
        if isinstance(node, ast.Call) and renames(node):
            yield f"line {node.lineno}: {ast.unparse(node)}"
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.fsync", "os.fdatasync", "os.lockf"):
            yield f"line {node.lineno}: {ast.unparse(node)}"


def test_one_package_renames_fsyncs_and_locks() -> None:
    # The script runs with the package of another commit, and so without this package's `files`.
    exceptions = {PACKAGE / "actions/first_steps.py", *(PACKAGE / "files").glob("*.py")}
    assert not [f"{file}: {found}" for file in FILES if file not in exceptions for found in crash_safety(file)]


def test_files_imports_errors_source_and_types_alone() -> None:
    own = {module for file in (PACKAGE / "files").glob("*.py") for module in imports(file)}
    above = {module for module in own if module.startswith("pipeline.") and not module.startswith("pipeline.files.")}
    assert above <= {"pipeline.errors", "pipeline.config.source", "pipeline.types"}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("aside.replace(path)", True),
        ("aside.replace(target=path)", True),
        ("os.replace(aside, path)", True),
        ("folder.rename(old)", True),
        ("shutil.move(aside, path)", True),
        ("'text'.replace('a', 'b')", False),
        ("replace(config, seed=1)", False),
        ("dataclasses.replace(config, seed=1)", False),
        ("now.replace(tzinfo=None)", False),
    ],
)
def test_a_rename_is_told_from_other_replacements(code: str, found: bool) -> None:
    (call,) = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    assert renames(call) is found


def test_files_stay_small() -> None:
    long = {str(file): lines for file in FILES if (lines := len(file.read_text().splitlines())) > 300}
    assert not long

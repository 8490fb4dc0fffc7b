"""What is installed is what was locked, and nothing known to be bad."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
CONFIGURED = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = CONFIGURED["project"]
LOCKS = ("requirements.lock", *(f"{folder}/requirements.lock" for folder in ("tests", "infra", "benchmarks", "docs")))


def locked(locks: tuple[str, ...] = LOCKS) -> dict[str, str]:
    """Every package that the given files lock, and its version."""
    lines = [line for lock in locks for line in (ROOT / lock).read_text().splitlines() if line[:1].isalnum()]
    found = [re.fullmatch(r"([\w.-]+)(?:\[[\w,-]+\])?==([^\s;]+)( *;.*)?", line) for line in lines]
    assert all(found), lines
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def test_every_dependency_is_locked_to_one_version_that_is_allowed() -> None:
    versions = locked()
    extras = [word for extra in PROJECT["optional-dependencies"].values() for word in extra]
    for requirement in map(Requirement, [*PROJECT["dependencies"], *extras]):
        if requirement.name != PROJECT["name"]:
            version = versions[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), requirement


@pytest.mark.parametrize("bad", ["lightning==2.6.2", "lightning==2.6.3", "mlflow==3.17.1", "mlflow==3.18.0"])
def test_releases_known_to_be_bad_can_not_be_installed(bad: str) -> None:
    name, version = bad.split("==")
    [allowed] = [word for word in map(Requirement, PROJECT["dependencies"]) if word.name == name]
    assert not allowed.specifier.contains(version)
    assert locked()[name] != version


def test_ci_audits_what_is_locked() -> None:
    [audit] = [line for line in (ROOT / ".github/workflows/ci.yml").read_text().splitlines() if "pip-audit" in line]
    assert all(f"--requirement {lock}" in audit for lock in LOCKS)


def test_types_are_checked_without_the_packages_that_only_the_documents_and_the_benchmarks_need() -> None:
    installed = {name for lock in LOCKS[:3] for name in locked((lock,))}
    tools = CONFIGURED["tool"]["mypy"]
    excused = {name.removesuffix(".*") for name in tools["overrides"][0]["module"]}
    here = {file.stem for file in ROOT.iterdir()} | set(sys.stdlib_module_names)
    owners = packages_distributions()
    for folder in tools["files"]:
        for file in (ROOT / folder).rglob("*.py"):
            for module in imported(file) - here - excused:
                assert installed.intersection(map(canonicalize_name, owners.get(module, []))), (file, module)


def imported(file: Path) -> set[str]:
    """The top-level names of the modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found

"""What code imports, found by reading it."""

from pathlib import Path

import pytest

from pipeline.runs.imports import Modules

FILES = {
    "__init__.py": "from .shapes import Square\n",
    "shapes.py": "import numpy.linalg\nfrom .units import mm\nfrom . import sizes\n",
    "units.py": "import scipy\nmm = 0.001\n",
    "sizes.py": "from . import Square\n",
    "other.py": "import torch\nfrom package import Square\n",
}


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package, whose modules are those that are looked into."""
    folder = tmp_path / "package"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    monkeypatch.setattr("pipeline.config.source.PACKAGE", folder)
    return folder


def test_a_name_that_a_package_only_re_exports_counts_as_the_module_that_defines_it() -> None:
    assert set(Modules().closure(["package.other"])) == {
        "package.other",
        "package.shapes",
        "package.sizes",
        "package.units",
    }


def test_leaves_are_found_without_their_imports_and_what_is_left_out_is_not_found() -> None:
    assert set(Modules().closure(["package.shapes"], leaves=["package.shapes"])) == {"package.shapes"}
    found = Modules().closure(["package.shapes"], left_out=["package.units"])
    assert set(found) == {"package.shapes", "package.sizes"}


def test_other_packages_are_those_of_imports_and_of_targets() -> None:
    modules = Modules()
    found = modules.closure(["package.shapes"])
    assert modules.packages(found) == {"numpy", "scipy"}
    assert modules.packages(found, ["torchvision.models.resnet18", "package.shapes.Square"]) == {
        "numpy",
        "scipy",
        "torchvision",
    }


def test_each_module_is_read_once(package: Path) -> None:
    modules = Modules()
    before = modules.closure(["package.other"])
    (package / "units.py").write_text("mm = 1\n")
    assert modules.closure(["package.other"]) == before
    assert Modules().closure(["package.other"]) != before

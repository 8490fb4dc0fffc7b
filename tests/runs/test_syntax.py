"""Digests of source code: comments, formatting and docstrings do not count, everything else does."""

import ast
import io
import tokenize
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.runs import syntax
from pipeline.runs.syntax import code_digest

MODULES = sorted((Path(__file__).parents[2] / "pipeline").rglob("*.py"))


def code(text: str, tmp_path: Path) -> str:
    (tmp_path / "module.py").write_text(text)
    return code_digest(tmp_path / "module.py")


PLAIN = '''"""Module."""
import os
from typing import TYPE_CHECKING
LIMIT = 3
class Layer:
    """Class."""
    size: int = 2
    def forward(self, x, scale=1.0, *, name="a"):
        """Function."""
        if x > LIMIT:
            return f"{name} is {x:.2f}"
        return -x * scale
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Function."""', '"""Another."""'),
        ('"""Function."""', '"a string that stands alone"; """and another"""'),
        ('        """Function."""\n', ""),
        ('    """Class."""\n', "    # a comment\n\n"),
        ('"""Module."""\n', ""),
        ("LIMIT = 3", "LIMIT = (  # why\n    3\n)"),
        ("return -x * scale", "return (-x) * scale"),
        ('name="a"', "name='a'"),
        ('name="a"', 'name=u"a"'),
        ('f"{name} is {x:.2f}"', '(f"{name} " f"is {x:.2f}")'),
        ("LIMIT = 3\n", "LIMIT = 3\nif TYPE_CHECKING:\n    import torch\n"),
        ("LIMIT = 3\n", "LIMIT = 3\npass\n"),
    ],
)
def test_what_changes_no_result_changes_no_digest(old: str, new: str, tmp_path: Path) -> None:
    assert PLAIN.count(old) == 1
    assert code(PLAIN.replace(old, new), tmp_path) == code(PLAIN, tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("LIMIT = 3", "LIMIT = 3.0"),
        ("LIMIT = 3", "LIMIT = '3'"),
        ("LIMIT = 3", "LIMIT = b'3'"),
        ("LIMIT = 3", "LIMIT = None"),
        ("LIMIT = 3", "LIMIT = 3\nOTHER = 3"),
        ("scale=1.0", "scale=2.0"),
        ("scale=1.0", "scale=0"),
        ("scale=1.0, *,", "scale=1.0,"),
        ("size: int = 2", "size: int"),
        ("size: int = 2", "size: float = 2"),
        ("-x * scale", "x * scale"),
        ("-x * scale", "-(x * scale)"),
        ("-x * scale", "-x + scale"),
        ("x > LIMIT", "x >= LIMIT"),
        (".2f", ".3f"),
        ("{name} is", "{name!r} is"),
        ('f"{name} is {x:.2f}"', '"{name} is {x:.2f}"'),
        ("import os", "import io"),
        ("import os", "import os as io"),
        ("class Layer", "class Layer(dict)"),
        ("def forward", "async def forward"),
        ("            return f", "            x = f"),
    ],
)
def test_what_can_change_a_result_changes_the_digest(old: str, new: str, tmp_path: Path) -> None:
    assert PLAIN.count(old) == 1
    assert code(PLAIN.replace(old, new), tmp_path) != code(PLAIN, tmp_path)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("match x:\n  case None: y = 1", "match x:\n  case False: y = 1"),
        ("x = {**a, b: c}", "x = {b: c, **a}"),
        ("x = [0]", "x = [False]"),
        ("def f(*, a, b=1): ...", "def f(*, a=1, b): ..."),
        ("x = 1j", "x = 1"),
        ("x = ''", "x = None"),
        ("x[:1]", "x[1:]"),
        ("from .a import b", "from a import b"),
    ],
)
def test_empty_and_false_values_are_told_apart(one: str, other: str, tmp_path: Path) -> None:
    assert code(one, tmp_path) != code(other, tmp_path)


def test_a_digest_is_the_same_on_every_python_version(tmp_path: Path) -> None:
    # Computed with Python 3.10, 3.11, 3.12 and 3.13; another value makes every recorded result stale.
    assert code(PLAIN, tmp_path) == "b32b6b9ab2ed220c7664036018d0d23ac20f476c13af54380bdb76267799bee4"


def test_fields_that_only_a_newer_python_has_change_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = code(PLAIN, tmp_path)
    parse = ast.parse

    def newer(content: bytes) -> ast.Module:
        tree = parse(content)
        for node in ast.walk(tree):
            node._fields = ("added", "lazy", "listed", *reversed(node._fields))  # type: ignore[misc]
            node.added, node.lazy, node.listed = None, 0, []  # type: ignore[attr-defined]
        return tree

    monkeypatch.setattr(ast, "parse", newer)
    syntax._read.cache_clear()
    assert code(PLAIN, tmp_path) == before
    syntax._read.cache_clear()


def line_ends(text: str) -> list[int]:
    """The numbers of the lines after which a line may be inserted: those that end neither in a string nor in a `\\`."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return sorted({token.start[0] for token in tokens if token.type in (tokenize.NEWLINE, tokenize.NL)})


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_comments_and_blank_lines_anywhere_in_real_modules_never_change_a_digest(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(MODULES)).read_text()
    places = data.draw(st.lists(st.sampled_from([0, *line_ends(text)]), min_size=1, max_size=5, unique=True))
    comments = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20)
    lines = text.splitlines(keepends=True)
    for place in sorted(places, reverse=True):
        comment = f"{' ' * data.draw(st.integers(0, 8))}# {data.draw(comments)}\n"
        lines.insert(place, data.draw(st.sampled_from(["\n", comment])))
    assert syntax._read("".join(lines).encode()) == syntax._read(text.encode())

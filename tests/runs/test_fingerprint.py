"""Fingerprints: they change with what a result depends on, and with nothing else."""

import ast
import io
import json
import shutil
import subprocess
import sys
import tokenize
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import load_config, resolve
from pipeline.config.source import file_of
from pipeline.runs import fingerprint, provenance, records, syntax

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "pipeline").rglob("*.py"))
EXPERIMENTS = ("mnist_cnn", "mnist_gan", "imdb_tfidf", "piglatin_seq2seq", "mnist_ensemble", "imdb_lm")
# What each of these experiments' fingerprints is, by (experiment, "training" or "evaluation").
Prints = dict[tuple[str, str], dict[str, Any]]


@cache
def composed(*overrides: str) -> str:
    return json.dumps(resolve(load_config(*overrides, root=ROOT)))


def config(*overrides: str) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(composed(*overrides))
    return plain


def prints(root: Path) -> Prints:
    both = {"training": fingerprint.training, "evaluation": fingerprint.evaluation}
    return {(name, what): of(config(f"experiment={name}"), root) for name in EXPERIMENTS for what, of in both.items()}


def stale(before: Prints, after: Prints) -> set[str]:
    return {f"{what} {name}" for (name, what), content in before.items() if after[name, what] != content}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project, whose package is the one that is looked into."""
    for name in ("conf", "data.dvc", "requirements.lock"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__", "static"))
    monkeypatch.setattr("pipeline.config.source.PACKAGE", tmp_path / "pipeline")
    return tmp_path


def edit(file: Path, change: Callable[[str], str]) -> None:
    before = file.read_text()
    file.write_text(change(before))
    assert file.read_text() != before


def code(text: str, tmp_path: Path) -> str:
    (tmp_path / "module.py").write_text(text)
    return fingerprint.code_digest(tmp_path / "module.py")


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


@pytest.mark.parametrize("length", [60, 200])
def test_a_reformatted_package_makes_nothing_stale(length: int, project: Path) -> None:
    before = prints(project)
    quotes = ["--config", 'format.quote-style="single"', "--config", "format.skip-magic-trailing-comma=true"]
    ruff = [sys.executable, "-m", "ruff", "format", "--isolated", f"--line-length={length}", *quotes]
    old = (project / "pipeline/training/fit.py").read_text()
    subprocess.run([*ruff, str(project / "pipeline")], check=True, capture_output=True)
    assert (project / "pipeline/training/fit.py").read_text() != old
    assert not stale(before, prints(project))


def test_a_comment_and_a_docstring_in_every_module_make_nothing_stale(project: Path) -> None:
    before = prints(project)
    for file in (project / "pipeline").rglob("*.py"):
        text = file.read_text()
        docstring = ast.get_docstring(ast.parse(text), clean=False)
        assert docstring
        file.write_text(f"# A comment.\n{text.replace(docstring, 'Other words.', 1)}")
    assert not stale(before, prints(project))


def test_a_statement_makes_stale_what_imports_its_module(project: Path) -> None:
    net, gan = "mnist_cnn", "mnist_gan"
    cases = {
        "cli/terminal.py": set[str](),
        "cli/train.py": set[str](),
        "tracking/run.py": set[str](),
        "launch/train.py": set[str](),
        "report/page.py": set[str](),
        # The judge and the members of the ensemble are CNNs.
        "models/cnn.py": {f"training {net}", *(f"evaluation {name}" for name in (net, gan, "mnist_ensemble"))},
        "evaluation/generation.py": {f"evaluation {gan}"},
        "evaluation/translation.py": {"evaluation piglatin_seq2seq"},
        "evaluation/classification.py": {f"evaluation {name}" for name in (net, "imdb_tfidf", "mnist_ensemble")}
        | {f"evaluation {name}" for name in (gan, "piglatin_seq2seq")},  # through report.details
        "actions/assess.py": {f"evaluation {name}" for name in EXPERIMENTS},
        "errors.py": {f"{what} {name}" for name in EXPERIMENTS for what in ("training", "evaluation")},
    }
    for name, expected in cases.items():
        before = prints(project)
        edit(project / "pipeline" / name, lambda text: f"{text}\nADDED = 1\n")
        assert stale(before, prints(project)) == expected, name


def test_only_packages_imported_at_run_time_make_results_stale(project: Path) -> None:
    lock = project / "requirements.lock"
    before = prints(project)
    for name in ("ruff", "mypy", "pytest", "playwright", "dvc", "mlflow", "ray", "hypothesis", "typer"):
        edit(lock, lambda text, name=name: text.replace(f"\n{name}==", f"\n{name}==99."))  # type: ignore[misc]
    assert not stale(before, prints(project))
    every_net = {f"{what} {name}" for name in EXPERIMENTS for what in ("training", "evaluation")}
    for name in ("torch", "sympy"):  # torch requires sympy, which no module of ours imports
        before = prints(project)
        edit(lock, lambda text, name=name: text.replace(f"\n{name}==", f"\n{name}==99."))  # type: ignore[misc]
        assert stale(before, prints(project)) == every_net
    assert prints(project)["mnist_cnn", "training"]["packages"]["torch"].startswith("99.")


def test_without_a_lock_file_no_package_is_compared(project: Path) -> None:
    (project / "requirements.lock").unlink()
    assert fingerprint.training(config("experiment=mnist_cnn"), project)["packages"] == {}


def test_another_judge_makes_the_evaluation_of_a_generator_stale_but_not_its_training(project: Path) -> None:
    before = prints(project)
    edit(project / "conf/model/cnn.yaml", lambda text: text.replace("lr: ", "lr: 0.123 #"))
    judged = {"evaluation mnist_gan"}
    assert stale(before, prints(project)) == judged
    before = prints(project)
    edit(project / "conf/experiment/mnist_cnn.yaml", lambda text: f"{text}\n  # a comment\n")
    assert not stale(before, prints(project))
    gan = config("experiment=mnist_gan")
    other = {**gan, "requires": ["mnist_cnn-1"]}
    assert fingerprint.evaluation(other, project) != fingerprint.evaluation(gan, project)


def test_a_judge_and_members_are_found_in_both_spellings() -> None:
    assert fingerprint.judge_of({"requires": ["mnist_cnn-0"]}) == "mnist_cnn-0"
    assert fingerprint.judge_of({"requires": {"judge": "mnist_cnn-0", "members": []}}) == "mnist_cnn-0"
    by_model = {"requires": [], "model": {"of": ["mnist_cnn", "mnist_cnn", "mlp_mnist-1"]}}
    assert fingerprint.members_of(by_model) == ["mlp_mnist-1", "mnist_cnn"]
    assert fingerprint.members_of({"requires": {"members": ["a", "b"]}, "model": {}}) == ["a", "b"]
    nobody: list[Any] = [[], {}, {"judge": None, "teacher": "imdb_tfidf-0"}]
    for none in nobody:
        assert fingerprint.judge_of({"requires": none}) is None


def test_a_fingerprint_holds_the_code_of_the_net_the_task_the_data_and_the_loop() -> None:
    found = set(fingerprint.training(config("experiment=imdb_lstm_pseudo"), ROOT)["code"])
    made_of = {
        "training.fit",
        "runs.checkpoints",
        "models.recurrent",
        "tasks.text",
        "data.texts.text_data",
        "data.texts.vocabulary",
        "data.texts.embeddings",
    }
    assert {f"pipeline.{name}" for name in (*made_of, "training.baselines")} <= found  # its teacher is a baseline
    other = {
        "models.cnn",
        "data.images.image_data",
        "data.store",
        "tracking.run",
        "cli.terminal",
        "cli.main",
        "runs.fingerprint",
    }
    assert not {f"pipeline.{name}" for name in other} & found


def test_every_entry_module_exists_and_no_import_is_relative() -> None:
    scoring = [module for modules in fingerprint.SCORED_BY.values() for module in modules]
    entries = [*fingerprint.TRAINED_BY.values(), *fingerprint.LOADED_BY.values(), *fingerprint.LEFT_OUT, *scoring]
    assert all(file_of(module) for module in (*entries, *fingerprint.SHARED, *fingerprint.CLASSIFIER))
    for file in MODULES:
        nodes = ast.walk(ast.parse(file.read_text()))
        assert not [node for node in nodes if isinstance(node, ast.ImportFrom) and node.level], file


def test_whatever_scoring_imports_is_in_the_fingerprint_of_some_kind() -> None:
    imported = {name for module in fingerprint.SHARED for name in syntax.read(file_of(module)).ours}  # type: ignore[arg-type]
    modules = {name for name in imported if (file := file_of(name)) and file.name != "__init__.py"}
    found = {module for content in prints(ROOT).values() for module in content["code"]}
    # A judge is found by its configuration, which is in the fingerprint; a figure is not in any result.
    assert modules - found == {"pipeline.actions.requirements", "pipeline.report.figures"}


def test_a_fingerprint_does_not_know_the_seed_or_where_data_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint.training(config("experiment=mnist_cnn"), ROOT)
    monkeypatch.setenv("PIPELINE_DATA_MIRROR", "http://user:secret@somewhere")
    changed = resolve(load_config("experiment=mnist_cnn", "seed=7", root=ROOT))
    changed["cluster"]["address"] = "ray://elsewhere"
    assert fingerprint.training(changed, ROOT) == before


def test_a_changed_file_of_conf_changes_the_fingerprints_of_its_experiments_only(project: Path) -> None:
    chosen = {"imdb_rnn", "imdb_gru", "mlp_xor", "mnist_cnn"}
    for file in (project / "conf/experiment").glob("*.yaml"):
        if file.stem not in chosen:
            file.unlink()

    def written() -> dict[str, Any]:
        assert set(fingerprint.write(project, project / "out")) == chosen
        files = sorted((project / "out").rglob("*.json"))
        return {str(path.relative_to(project / "out")): json.loads(path.read_text()) for path in files}

    before = written()
    assert before.keys() == {f"{folder}{name}.json" for name in chosen for folder in ("", "evaluation/")}
    edit(project / "conf/model/rnn.yaml", lambda text: text.replace("dropout:", "dropout: 0.123 #"))
    after = written()
    assert [name for name in before if before[name] != after[name]] == ["imdb_rnn.json"]
    assert after["imdb_rnn.json"]["config"]["model"]["net"]["dropout"] == 0.123


def test_runs_of_another_seed_configuration_code_or_package_are_other_runs(project: Path) -> None:
    xor = config("experiment=mlp_xor")
    same = fingerprint.identity(xor, project)
    assert fingerprint.identity(json.loads(json.dumps(xor)), project) == same
    assert fingerprint.identity({**xor, "seed": 1}, project) != same
    assert fingerprint.identity({**xor, "trainer": {**xor["trainer"], "max_epochs": 1}}, project) != same
    edit(project / "pipeline/training/fit.py", lambda text: text.replace("\n\n\n", "\n\n\n# A comment.\n", 1))
    assert fingerprint.identity(xor, project) == same
    edit(project / "pipeline/training/fit.py", lambda text: f"{text}\nADDED = 1\n")
    changed = fingerprint.identity(xor, project)
    assert changed != same
    edit(project / "requirements.lock", lambda text: text.replace("\ntorch==", "\ntorch==99."))
    assert fingerprint.identity(xor, project) not in (same, changed)


def test_drift_names_the_parts_and_modules_that_differ_and_compares_nothing_that_a_record_lacks(project: Path) -> None:
    xor = config("experiment=mlp_xor")
    record = records.read(records.create(project, xor, {}))
    assert provenance.drift(record, xor, "d", project) == []
    edit(project / "pipeline/training/fit.py", lambda text: f"{text}\nADDED = 1\n")
    edit(project / "pipeline/cli/terminal.py", lambda text: f"{text}\nADDED = 1\n")
    edit(project / "requirements.lock", lambda text: text.replace("\nsympy==", "\nsympy==99."))
    other = {**xor, "seed": 1, "cluster": {**xor["cluster"], "workers": 2}}
    found = provenance.drift({**record, "dataset": {"digest": "before"}}, other, "after", project)
    assert [line for line in found if not line.startswith("configuration: ")] == [
        "code: pipeline.training.fit",
        "data: before then, after now",
        "packages: sympy",
    ]
    assert len(found) == 4
    old = {"code_digest": "0" * 64, "began": {"config_digest": "0" * 64, "workers": 7}, "dataset": {"digest": "d"}}
    assert provenance.drift(old, other, "d", project) == []
    assert provenance.drift(old, other, "e", project) == ["data: d then, e now"]


def test_a_sweeps_own_name_is_not_drift(project: Path) -> None:
    xor = config("experiment=mlp_xor")
    record = records.read(records.create(project, {**xor, "name": "sweep-mlp_xor"}, {}))
    assert provenance.drift(record, xor, "d", project) == []

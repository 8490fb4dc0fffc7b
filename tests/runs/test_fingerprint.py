"""Fingerprints: they change with what a result depends on, and with nothing else."""

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.config import load_config, resolve
from pipeline.config.kind import kind_name
from pipeline.config.source import file_of
from pipeline.data import store
from pipeline.kinds import predictor_class
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
    both: dict[str, Callable[..., Any]] = {"training": fingerprint.training, "evaluation": fingerprint.evaluation}
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


@pytest.fixture
def unchanged_conf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose each configuration once: composing takes most of the time of a fingerprint."""
    configured = fingerprint._configured
    once = cache(lambda model: json.dumps(configured(model, ROOT)))
    monkeypatch.setattr(fingerprint, "_configured", lambda model, root: json.loads(once(model)))


def edit(file: Path, change: Callable[[str], str]) -> None:
    before = file.read_text()
    file.write_text(change(before))
    assert file.read_text() != before


@pytest.mark.usefixtures("unchanged_conf")
@pytest.mark.parametrize("length", [60, 200])
def test_a_reformatted_package_makes_nothing_stale(length: int, project: Path) -> None:
    before = prints(project)
    quotes = ["--config", 'format.quote-style="single"', "--config", "format.skip-magic-trailing-comma=true"]
    ruff = [sys.executable, "-m", "ruff", "format", "--isolated", f"--line-length={length}", *quotes]
    old = (project / "pipeline/training/fit.py").read_text()
    subprocess.run([*ruff, str(project / "pipeline")], check=True, capture_output=True)
    assert (project / "pipeline/training/fit.py").read_text() != old
    assert not stale(before, prints(project))


@pytest.mark.usefixtures("unchanged_conf")
def test_a_comment_and_a_docstring_in_every_module_make_nothing_stale(project: Path) -> None:
    before = prints(project)
    for file in (project / "pipeline").rglob("*.py"):
        text = file.read_text()
        docstring = ast.get_docstring(ast.parse(text), clean=False)
        assert docstring
        file.write_text(f"# A comment.\n{text.replace(docstring, 'Other words.', 1)}")
    assert not stale(before, prints(project))


@pytest.mark.usefixtures("unchanged_conf")
def test_a_statement_makes_stale_what_imports_its_module(project: Path) -> None:
    net, gan = "mnist_cnn", "mnist_gan"
    cases = {
        "cli/terminal.py": set[str](),
        "cli/train.py": set[str](),
        "tracking/run.py": set[str](),
        "launch/train.py": set[str](),
        "report/page.py": set[str](),
        # The judge and the members of the ensemble are CNNs.
        "models/cnn.py": {
            f"training {net}",
            "training mnist_ensemble",
            *(f"evaluation {name}" for name in (net, gan, "mnist_ensemble")),
        },
        "evaluation/generation.py": {f"evaluation {gan}"},
        "evaluation/translation.py": {"evaluation piglatin_seq2seq"},
        # Of all through report.details or inference.predictor.
        "evaluation/classification.py": {f"evaluation {name}" for name in EXPERIMENTS},
        "actions/assess.py": {f"evaluation {name}" for name in EXPERIMENTS},
        "errors.py": {f"{what} {name}" for name in EXPERIMENTS for what in ("training", "evaluation")},
    }
    before = prints(project)
    for name, expected in cases.items():
        edit(project / "pipeline" / name, lambda text: f"{text}\nADDED = 1\n")
        after = prints(project)
        assert stale(before, after) == expected, name
        before = after


@pytest.mark.usefixtures("unchanged_conf")
def test_a_corrected_label_file_makes_stale_what_reads_its_data_set(monkeypatch: pytest.MonkeyPatch) -> None:
    before, files = prints(ROOT), store.FILES["mnist"]
    corrected = [replace(file, sha256="0" * 64) if "labels" in file.path else file for file in files]
    monkeypatch.setitem(store.FILES, "mnist", tuple(corrected))
    assert stale(before, prints(ROOT)) == {f"training mnist_{name}" for name in ("cnn", "gan", "ensemble")}


@pytest.mark.usefixtures("unchanged_conf")
def test_only_packages_imported_at_run_time_make_results_stale(project: Path) -> None:
    lock = project / "requirements.lock"
    before = prints(project)
    for name in ("dvc", "mlflow", "ray", "typer", "fastapi"):
        edit(lock, lambda text, name=name: text.replace(f"\n{name}==", f"\n{name}==99."))  # type: ignore[misc]
    assert not stale(before, prints(project))
    every_net = {f"{what} {name}" for name in EXPERIMENTS for what in ("training", "evaluation")}
    for name in ("torch", "sympy"):  # torch requires sympy, which no module of ours imports
        edit(lock, lambda text, name=name: text.replace(f"\n{name}==", f"\n{name}==99."))  # type: ignore[misc]
        after = prints(project)
        assert stale(before, after) == every_net
        before = after
    assert before["mnist_cnn", "training"]["packages"]["torch"].startswith("99.")


def test_the_instructions_that_a_processor_is_told_to_use_count_for_every_training(project: Path) -> None:
    before = prints(project)
    edit(project / "pipeline/training/cpu.py", lambda text: text.replace('"HASWELL"', '"ZEN"'))
    assert stale(before, prints(project)) == {f"training {name}" for name in EXPERIMENTS}


def test_without_a_lock_file_no_package_is_compared(project: Path) -> None:
    (project / "requirements.lock").unlink()
    assert fingerprint.training(config("experiment=mnist_cnn"), project)["packages"] == {}


def test_a_judge_trained_otherwise_changes_no_fingerprint_of_a_generator(project: Path) -> None:
    """The stage that evaluates the generator depends on the judge's model itself."""
    before = prints(project)
    edit(project / "conf/model/cnn.yaml", lambda text: text.replace("lr: ", "lr: 0.123 #"))  # of required models only
    assert not stale(before, prints(project))
    edit(project / "conf/experiment/mnist_cnn.yaml", lambda text: f"{text}\n  # a comment\n")
    assert not stale(before, prints(project))


def test_a_fingerprint_holds_the_code_of_the_net_the_task_the_data_and_the_loop() -> None:
    content = fingerprint.training(config("experiment=imdb_lstm_pseudo"), ROOT)
    found = set(content["code"])
    assert list(content["requires"]) == ["imdb_nbsvm-0"]  # the teacher's own code is in its identity
    made_of = {
        "training.fit",
        "runs.checkpoints",
        "models.recurrent",
        "tasks.text",
        "data.texts.text_data",
        "data.texts.vocabulary",
        "data.texts.embeddings",
    }
    assert {f"pipeline.{name}" for name in made_of} <= found
    other = {
        "models.cnn",
        "data.images.image_data",
        "data.store",
        "tracking.run",
        "cli.terminal",
        "cli.command",
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


@pytest.mark.parametrize("experiment", ["imdb_lstm", "mlp_xor", "dogcat_transfer", *EXPERIMENTS])
def test_the_module_that_predicts_with_a_net_is_in_the_fingerprint_of_its_evaluation(experiment: str) -> None:
    plain = config(f"experiment={experiment}")
    if kind_name(plain) == "net":
        assert predictor_class(plain).__module__ in fingerprint.evaluation(plain, ROOT)["code"]


def test_whatever_scoring_imports_is_in_the_fingerprint_of_some_kind() -> None:
    imported = {name for module in fingerprint.SHARED for name in syntax.read(file_of(module)).imports}  # type: ignore[arg-type]
    modules = {name for name in imported if (file := file_of(name)) and file.name != "__init__.py"}
    found = {module for content in prints(ROOT).values() for module in content["code"]}
    # A judge is found by its configuration, which is in the fingerprint; a figure is not in any result; aliases change
    # configurations of former versions alone; a net of one's own is checked before it is trained.
    assert modules - found == {
        "pipeline.actions.requirements",
        "pipeline.config.aliases",
        "pipeline.report.figures",
        "pipeline.runs.requirements",
        "pipeline.training.first_batch",
    }


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
    found = provenance.drift(
        {**record, "dataset": {"name": "xor", "digest": "before", "rows": {}}}, other, "after", project
    )
    assert [line for line in found if not line.startswith("configuration: ")] == [
        "code: pipeline.training.fit",
        "data: before then, after now",
        "packages: sympy",
    ]
    assert len(found) == 4
    old = {"code_digest": "0" * 64, "began": {"config_digest": "0" * 64, "workers": 7}, "dataset": {"digest": "d"}}
    record = cast(records.RunRecord, old)
    assert provenance.drift(record, other, "d", project) == []
    assert provenance.drift(record, other, "e", project) == ["data: d then, e now"]


def test_a_sweeps_own_name_is_not_drift(project: Path) -> None:
    xor = config("experiment=mlp_xor")
    record = records.read(records.create(project, {**xor, "name": "sweep-mlp_xor"}, {}))
    assert provenance.drift(record, xor, "d", project) == []


def test_a_name_that_a_package_re_exports_counts_as_the_module_that_defines_it() -> None:
    assert "pipeline.config.build" in syntax.read(ROOT / "pipeline/training/fit.py").imports
    package = syntax.read(ROOT / "pipeline/config/__init__.py").exports
    assert package
    assert package["build"] == "pipeline.config.instantiate"
    code = fingerprint.training(config("experiment=mnist_cnn"), ROOT)["code"]
    assert "pipeline.config" not in code
    assert "pipeline.config.instantiate" in code
    assert "pipeline.config.aliases" not in code  # no name of it is imported on the way


def test_the_projects_own_modules_are_in_the_fingerprint_whatever_way_they_are_imported(own: Path) -> None:
    (own / "own/layers.py").write_text("from . import constants\nfrom .extra.units import Unit\n")
    (own / "own/constants.py").write_text("WIDTH = 3\n")
    (own / "own/unused.py").write_text("WIDTH = 3\n")
    (own / "own/extra").mkdir()
    (own / "own/extra/__init__.py").write_text("from .units import Unit\n")
    (own / "own/extra/units.py").write_text("import scipy\nfrom own.constants import WIDTH\nclass Unit: pass\n")
    edit(own / "own/nets.py", lambda text: f"import own.layers as layers\n{text}")
    edit(own / "own/__init__.py", lambda text: f"{text}\nSEEN = True\n")
    (own / "requirements.lock").write_text("scipy==1.0\nray==2.0\n")
    plain = resolve(load_config(root=own))
    content = fingerprint.training(plain, own)
    found = {module for module in content["code"] if module.startswith("own")}
    assert found == {"own", "own.nets", "own.layers", "own.constants", "own.extra.units"}
    assert "pipeline.training.fit" in content["code"]
    assert content["packages"] == {"scipy": "1.0"}
    evaluated = fingerprint.evaluation(plain, own)
    assert "own.metrics" in evaluated["code"]
    assert list(evaluated["metrics"]) == ["balanced_accuracy"]
    before = fingerprint.identity(plain, own)
    edit(own / "own/extra/units.py", lambda text: f"{text}# a comment\n")
    edit(own / "own/unused.py", lambda text: f"{text}MORE = 1\n")
    assert fingerprint.identity(plain, own) == before
    edit(own / "own/constants.py", lambda text: text.replace("3", "4"))
    assert fingerprint.identity(plain, own) != before

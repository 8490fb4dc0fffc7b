"""Commands, paths, links and results in the documents are those of the program."""

import re
import shlex
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import pytest
import yaml

from docs.generators import commands as reference
from docs.generators import configuration, pages
from docs.generators.commands import verbs
from pipeline.config import load_config
from pipeline.config.schema import SCHEMA
from pipeline.report.claims import markdown, table
from pipeline.report.markdown import readme_table, results_markdown
from pipeline.runs import replays, results
from pipeline.types import InputType

ROOT = Path(__file__).parents[1]
HISTORIC = ("CHANGELOG.md",)  # names the files of its day
PAGES = [page for page in (ROOT / "docs").rglob("*.md") if "generated" not in page.parts]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *PAGES])


def commands(text: str) -> list[str]:
    """The `pipeline …` commands in a document's code."""
    code = re.findall(r"`(pipeline [^`\n]+)`", text) + re.findall(
        r"^(?:\$ )?(pipeline [a-z][^\n#]*)", text, re.MULTILINE
    )
    return [command.strip() for command in code]


def typed(text: str) -> list[str]:
    """The lines of a document's blocks that are typed into a shell, whatever their program."""
    blocks = re.findall(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ") for language, block in blocks if not language for line in block.splitlines()]
    programs = r"(\(|umask|mkdir|export|ray|pipeline|python|make|source|cd|git|dvc|curl|pip|ssh|[A-Z_]+=\S+) ?\b"
    return [line for line in lines if re.match(programs, line) and "…" not in line]


@pytest.mark.parametrize("verb", verbs())
def test_every_command_has_help_a_runnable_example_and_a_place_in_the_reference(verb: str) -> None:
    help_text = verbs()[verb].help
    example = re.search(rf"Example: (pipeline {verb}\b.*)", help_text)
    assert example
    check(example[1])
    assert f"pipeline {verb}" in (ROOT / "docs/reference/commands.md").read_text()


@pytest.mark.parametrize("verb", verbs())
def test_a_verbs_generated_page_has_its_help_its_example_and_every_option(verb: str) -> None:
    page = reference.page(verb, verbs()[verb])
    assert page.startswith(f"# pipeline {verb}\n")
    assert f"```\npipeline {verb}" in page
    for parameter in verbs()[verb].params:
        names = (f"`{parameter.opts[0]}", parameter.name.upper(), (parameter.metavar or "").replace("|", "\\|") or None)
        assert any(name in page for name in names if name)
        assert parameter.help.replace("|", "\\|") in page


def test_the_page_of_keys_states_values_default_and_meaning_of_every_key() -> None:
    assert [key for key, rule in SCHEMA.items() if not rule.meaning] == []
    page = configuration.keys_page(ROOT / "conf")
    for row in (
        "| `trainer.shards` | whole number from 1 to 1,024 | `1` |",
        "| `trainer.precision` | `32-true`, `64-true`, `bf16-mixed`, `16-mixed` | `32-true` |",
        "| `cluster.workers` | whole number from 1 to 10,000, or `auto`, `[least,most]` | `auto` |",
        "| `trainer.ema_decay` | number from 0 to 1, null | `null` |",
        "| `data.fold` | whole number from 0 to 999 | `${seed}` (dogs_vs_cats), `0` (image_folder) |",
    ):
        assert row in page
    assert page.count("\n| `") == len(SCHEMA)


def test_the_generated_pages_name_every_experiment_and_every_kind_of_input() -> None:
    generated = pages.generated()
    for file in (ROOT / "conf/experiment").glob("*.yaml"):
        assert f"| `{file.stem}` |" in generated["experiments.md"]
    for kind in get_args(InputType):
        assert f"| `{kind}` |" in generated["http-api.md"]
    quoted = pages.quoted_results()
    assert "**✓ Holds: every seed learns XOR.**" in quoted["claim_2"]
    assert re.match(r"accuracy 100.00 ± 0.00 % \(\d seeds, ", quoted["score_mlp_xor"])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_a_document_can_be_typed(document: Path) -> None:
    for command in commands(document.read_text()):
        check(command)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_are_quoted_so_that_zsh_takes_them(document: Path) -> None:
    text = document.read_text()
    for command in {*commands(text), *typed(text)}:
        unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "", command.removeprefix("("))
        assert not re.search(r"[][({}*?^]| [=~][a-z]", unquoted.replace("[OPTIONS]", "")), command
        assert " #" not in unquoted, f"{command}: zsh takes comments for arguments where they are typed"


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh")
def test_zsh_expands_nothing_in_the_commands_of_the_documents() -> None:
    lines = sorted({line for document in DOCUMENTS for line in typed(document.read_text()) if line[0] != "("})
    script = "".join(f"print -r -- {line.partition(' && ')[0].partition('; ')[0]} || exit 1\n" for line in lines)
    done = subprocess.run(["zsh", "-f", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(lines)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_benchmark_and_stage_in_a_document_exists(document: Path) -> None:
    text = document.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^\$ |^)make ([a-z-]+)", text, re.MULTILINE)) <= targets
    for module in re.findall(r"python -m (benchmarks[.\w]*)", text):
        assert find_spec(module.rstrip(".").removesuffix(".NAME")), module
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for stage, item in re.findall(r"dvc (?:repro|exp run(?: --queue)?) ([a-z_]+)(?:@([\w-]+))?", text):
        assert stage in stages, stage
        runs = yaml.safe_load((ROOT / "runs.yaml").read_text())["runs"]
        assert not item or item == "NAME" or ("foreach" in stages[stage] and (stage == "collect" or item in runs)), item


def check(command: str) -> None:
    """The verb exists, its options exist, its overrides compose."""
    if "…" in command:
        return
    words = shlex.split(command)[1:]
    if words[0].startswith("--"):  # an option of the command itself
        return
    known = verbs()
    verb = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
    assert verb in known, command
    options = {
        option
        for parameter in known[verb].params
        for option in getattr(parameter, "opts", []) + getattr(parameter, "secondary_opts", [])
    }
    used = [word.partition("=")[0] for word in words if word.startswith("-")]
    assert set(used) <= options | {"--help", "--debug"}, command
    in_own_project = any(word.removesuffix("=mixer") in ("model", "experiment") for word in words)  # of a tutorial
    if verb in ("train", "config") and "--config-dir" not in used and not in_own_project:
        counted = {"image_folder": ["data.classes=2"], "own_texts": ["data.classes=2"]}
        counted["idx_images"] = ["data.classes=10", "data.in_shape=[1,28,28]"]
        given = [key for name, keys in counted.items() if f"data={name}" in words for key in keys]  # of absent data
        load_config(*(word for word in words[1:] if "=" in word and not word.startswith("-")), *given)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        path = (document.parent / target).resolve()
        if "://" not in target and not path.is_relative_to(ROOT / "docs/generated"):  # the site's build checks those
            assert path.exists(), target


@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if path.name not in HISTORIC], ids=lambda path: path.name
)
def test_every_path_in_a_document_exists(document: Path) -> None:
    for path in paths(document.read_text(), tour=document.name == "tour.md"):
        assert (ROOT / path).exists() or (ROOT / "pipeline" / path).exists(), path


def paths(text: str, *, tour: bool) -> set[str]:
    """The paths of the project in a document's code, `a/{b,c}.py` as two; without placeholders such as NAME or x.py."""
    tops = "pipeline|conf|tests|benchmarks|infra|docs" + ("|data|models|tasks|training|inference|evaluation" * tour)
    found = set()
    for path in re.findall(rf"`((?:{tops})/[\w./{{}},-]*)`", text):
        head, _, rest = path.partition("{")
        inner, _, tail = rest.partition("}")
        found |= {f"{head}{name}{tail}" for name in inner.split(",")}
    return {path for path in found if not re.search(r"[A-Z]{3}|/(test_)?x\.|shapes|mixer|my_data", path)}


def test_the_paths_of_a_document_are_found() -> None:
    assert paths("`pipeline/a/{b,c}.py`, `models/d.py`, `conf/data/NAME.yaml`", tour=False) == {
        "pipeline/a/b.py",
        "pipeline/a/c.py",
    }


def test_the_readme_and_the_results_page_state_the_committed_results() -> None:
    entries = results.committed(ROOT)
    page = results_markdown(entries, markdown(table(entries)), replays.read(ROOT))
    assert (ROOT / "docs/results.md").read_text() == page, "run `pipeline report`"
    assert readme_table(entries, ROOT) in (ROOT / "README.md").read_text(), "run `pipeline report`"


def test_the_scores_of_the_targets_and_of_what_was_recorded_anew_are_the_committed_results() -> None:
    scores = [score for file in (ROOT / "results").glob("*.json") for score in results.read(file)["summary"].values()]
    known = {
        " ± ".join(f"{times * score[part]:.{digits}f}".removeprefix("0") for part in ("mean", "std"))
        for score in scores
        for times, digits in ((100, 2), (100, 1), (1, 2), (1, 3))  # as a percentage, or as it is
    }
    text = (ROOT / "docs/explanation/tried.md").read_text()
    stated = [
        found
        for heading, column in (("Targets", 2), ("Recorded anew", 4))
        for row in re.findall(r"^\| .*`.*", text.partition(f"## {heading}\n")[2].partition("\n## ")[0], re.MULTILINE)
        for found in re.findall(r"[\d.]+ ± [\d.]+", "".join(row.split("|")[column : column + 1]))
    ]
    assert len(stated) > 20
    assert [score for score in stated if score not in known] == []


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    for target in phony[1].split():
        assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE), target

"""Exercises of the course: their commands give the answers that the pages state."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COURSE = ROOT / "docs/course"
PAGES = sorted(path.stem for path in COURSE.glob("*.md") if path.stem != "index")
QUICK = [page for page in PAGES if page not in ("cnn", "rnn", "lstm", "gan")]  # whose answers are recorded results


def exercises(page: str) -> list[tuple[str, str]]:
    """The command and the answer of each exercise of a page."""
    text = (COURSE / f"{page}.md").read_text()
    questions, answers = text.split("## Exercises")[1].split("## Answers")
    commands = re.findall(r"^   (pipeline .*)$", questions, re.MULTILINE)
    found = re.findall(r"^\d\. (.*)$", answers, re.MULTILINE)
    assert len(commands) == len(found) == 3
    return list(zip(commands, found, strict=True))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_formula_code_command_verdict_and_three_exercises_with_answers(page: str) -> None:
    text = (COURSE / f"{page}.md").read_text()
    parts = ["Formula", "Code", "Run it", "The lecture's claim", "Exercises", "Answers"]
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == parts
    assert "$$" in text
    assert "```{literalinclude}" in text
    assert len(exercises(page)) == 3


@pytest.mark.slow
@pytest.mark.parametrize(("command", "answer"), [pair for page in QUICK for pair in exercises(page)])
def test_an_exercises_command_gives_the_stated_answer(command: str, answer: str, tmp_path: Path) -> None:
    for name in ("conf", "data", "data.dvc"):
        (tmp_path / name).symlink_to(ROOT / name)
    words = [sys.executable, "-m", "pipeline", *shlex.split(command)[1:]]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=1800, check=False)
    if "mnist-5k" in done.stdout:
        pytest.skip("the answer is of the real MNIST, which is not here: `pipeline data pull mnist`")
    if done.returncode:
        assert "unknown gate 'xor'" in done.stderr
        assert "unknown gate 'xor'" in answer
    else:
        measured = re.search(r"test accuracy +([\d.]+ %)", done.stdout)
        assert measured
        assert measured[1] in answer

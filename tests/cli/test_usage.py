"""Mistakes in the command line: what was found, and what to type instead."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from pipeline.cli.command import _run, app


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("train --experiment mlp_xor", "--experiment: no such option of `pipeline train`. Configuration is written "
         "without dashes: `experiment=mlp_xor`."),
        ("train --model.net.hidden=3", "Configuration is written without dashes: `model.net.hidden=3`."),
        ("sweep --seed", "Configuration is written without dashes: `seed=…`."),
        ("config --lr 3", "Configuration is written without dashes: `KEY=VALUE`; `pipeline config` lists the keys."),
        ("train --epochs 3", "Did you mean trainer.max_epochs? Configuration is written without dashes: `KEY=VALUE`;"),
        ("train --recrod", "--recrod: no such option of `pipeline train`. Did you mean --record?"),
        ("runs --experiment x", "--experiment: no such option of `pipeline runs`. `pipeline runs --help` lists the"),
        ("trian", "trian: no such verb. Did you mean `pipeline train`? `pipeline --help` lists the verbs."),
        ("data pul", "pul: no such verb. Did you mean `pipeline data pull`? `pipeline data --help` lists the verbs."),
        ("evaluate", "pipeline evaluate: argument run is missing. Example: `pipeline evaluate latest --split val`."),
        ("evaluate latest --split x", "--split: 'x' is not train, val or test. `pipeline evaluate --help` explains"),
        ("serve latest --port 0", "--port: "),
        ("runs x", "pipeline runs: got unexpected extra argument"),
        ("sweep --trials", "--trials: needs a value."),
        ("runs --json=1", "--json: takes no value."),
    ],
)  # fmt: skip
def test_a_usage_error_is_one_line_with_the_next_step(
    command: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(command.split(), debug=False) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ")
    assert expected in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_without_a_verb_the_first_steps_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run([], debug=False) == 0
    shown = re.findall(r"^  pipeline (data check|[a-z]+)", capsys.readouterr().out, re.MULTILINE)
    assert shown == ["train", "predict", "ui", "app", "data check"]
    for verb in shown:
        assert _run([*verb.split(), "--help"], debug=False) == 0


def test_without_a_verb_of_a_group_its_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["data"], debug=False) == 0
    assert "Commands:" in capsys.readouterr().out


def helps(command: Any) -> Iterator[str]:
    for verb in command.commands.values():
        yield verb.help
        if hasattr(verb, "commands"):
            yield from helps(verb)


def test_the_list_of_verbs_shows_each_ones_first_sentence_whole(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--help"], ["data"]):
        _run(words, debug=False)
        assert "..." not in capsys.readouterr().out.replace("[ARGS]...", "")
    assert all(text.partition("\n")[0].rstrip().endswith(".") for text in helps(get_command(app)))

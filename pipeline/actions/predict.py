"""Answers to many inputs: streamed, on this machine or a cluster; to a file, where an interrupted run goes on."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import DataError
from pipeline.files import fsync
from pipeline.inference.inputs import STDIN, InputChunk, chunks
from pipeline.inference.requests import input_type, model_name, predict_chunk
from pipeline.kinds import load
from pipeline.runs import lookup
from pipeline.types import Prediction


class Written(NamedTuple):
    """What a file of answers holds: how many, how many of them from before, how many errors among the new ones."""

    answers: int
    before: int
    errors: int


Answered = Callable[[Iterable[InputChunk]], Iterator[list[Prediction]]]


def predict(
    run: str, inputs: Sequence[str], *, root: Path, stdin: Iterable[str] | None = None, cluster: bool = False
) -> Iterator[Prediction]:
    """What a model makes of each input, in their order; an input that can't be read has an `error` instead.

    Inputs are files (PNG, IDX, text, JSON Lines), folders of them, `-` for the lines of `stdin`, or texts as they are.

    Raises: DataError if there is nothing to read, or the model takes no input.
    """
    answered, found, _ = _prepare(run, inputs, root, stdin, cluster)
    return chain.from_iterable(answered(found))


def predict_to(
    out: Path,
    run: str,
    inputs: Sequence[str],
    *,
    root: Path,
    stdin: Iterable[str] | None = None,
    cluster: bool = False,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Written:
    """`predict` as lines of JSON in a file; one that was interrupted goes on after its last whole line.

    Each line names the model by the beginning of its weights' digest. `told` hears how many
    answers there are, of how many (0 while that is not known).

    Raises: DataError if the file holds answers of another model, or to other inputs.
    """
    answered, found, model = _prepare(run, inputs, root, stdin, cluster)
    total = 0
    if STDIN not in inputs:
        found = list(found)
        total = sum(len(chunk.names) for chunk in found)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a+b") as file:
        kept = _kept(file, out)
        before, rest = 0, iter(found)
        stored: Sequence[tuple[str, str]] = ()
        left: InputChunk | None = None
        for chunk in rest:
            names = chunk.names
            stored = kept[before : before + len(names)]
            _same(stored, names, model, f"{out}:{before + 1}")
            before += len(stored)
            if len(stored) < len(names):
                left = chunk
                break
        if len(kept) > before:
            raise DataError(f"{out}: holds {len(kept):,} answers, to more inputs than these. Give another --out.")
        skipped = len(stored) if left else 0
        count, errors = before, 0
        for answers in answered(chain([left], rest) if left else ()):
            lines = [json.dumps({"model": model, **answer}, ensure_ascii=False) for answer in answers[skipped:]]
            file.write("".join(f"{line}\n" for line in lines).encode())
            file.flush()
            errors += sum("error" in answer for answer in answers[skipped:])
            count, skipped = count + len(lines), 0
            told(count, total)
    fsync(out)
    return Written(count, before, errors)


def _prepare(
    run: str, inputs: Sequence[str], root: Path, stdin: Iterable[str] | None, cluster: bool
) -> tuple[Answered, Iterable[InputChunk], str]:
    """What answers chunks, the chunks, and the model's name in a line."""
    folder = lookup.model_dir(run, root)
    predictor = load(folder)
    content = input_type(predictor)
    if content == "classes":
        raise DataError(f"{run}: a generator takes no input; what it draws is in its run's figures/.")
    found = chunks(inputs, content, stdin)
    model = model_name(predictor)
    if cluster:
        from pipeline.launch.batch import predict_chunks as on_cluster

        return lambda some: on_cluster(folder, list(some)), found, model
    return lambda some: (predict_chunk(predictor, chunk) for chunk in some), found, model


def _kept(file: Any, out: Path) -> list[tuple[str, str]]:
    """(model, input) of each whole line of a file of answers; a torn last line is cut off."""
    file.seek(0)
    kept, whole = [], 0
    for line in file:
        if not line.endswith(b"\n"):
            break
        try:
            row = json.loads(line)
            kept.append((row["model"], row["input"]))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{out}:{len(kept) + 1}: no answer of `pipeline predict`. Give another --out; nothing was changed."
            ) from error
        whole += len(line)
    file.truncate(whole)
    return kept


def _same(stored: Sequence[tuple[str, str]], names: Sequence[str], model: str, where: str) -> None:
    for found, expected in zip(stored, ((model, name) for name in names), strict=False):
        if found != expected:
            raise DataError(
                f"{where}: holds what {found[0]} says of {found[1]!r}, expected {expected[0]} and {expected[1]!r}. "
                "Give another --out; nothing was changed."
            )

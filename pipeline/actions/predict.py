"""Batch prediction, streamed on this machine or a cluster; to a file, an interrupted prediction is resumed."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, NamedTuple, cast

from pipeline.actions import output_file
from pipeline.errors import ConfigError, DataError
from pipeline.evaluation.calibration import CalibratedClassifier, has_probabilities
from pipeline.files import fsync
from pipeline.inference.inputs import STDIN, InputChunk, check_arguments, chunks
from pipeline.inference.requests import model_name, predict_chunk
from pipeline.kinds import kind_of, load, read_config
from pipeline.runs import lookup
from pipeline.types import Prediction, Predictor

encode = json.JSONEncoder(ensure_ascii=False).encode
MAX_LINE_BYTES = 16 << 20  # of an output file; a longer line is not a prediction
START = b'{"model": "'  # of each line


class Written(NamedTuple):
    """Counts of a file of predictions: all of them, those of earlier attempts, and the errors among the new ones."""

    predictions: int
    resumed: int
    errors: int


ChunkPredictor = Callable[[Iterable[InputChunk]], Iterator[list[Prediction]]]


def predict(
    run: str,
    inputs: Sequence[str],
    *,
    root: Path,
    stdin: Iterable[str | bytes] | None = None,
    cluster: bool = False,
    coverage: float | None = None,
) -> Iterator[Prediction]:
    """The prediction for each input, in their order; an input that can't be read has an `error` instead.

    Inputs are files (images, IDX, text, JSON Lines), folders of them, `-` for the lines of `stdin`, or literal texts.
    With `coverage`, each prediction has the `set` of classes that holds the true class with that probability.

    Raises: DataError if there is nothing to read, or the model takes no input.
    """
    # A line of standard input has its prediction when its chunk is full, whatever follows.
    predict_chunks, found, _ = _prepare(run, inputs, root, stdin, cluster, coverage, read_ahead=STDIN not in inputs)
    return chain.from_iterable(predict_chunks(found))


def predict_to(
    out: Path,
    run: str,
    inputs: Sequence[str],
    *,
    root: Path,
    stdin: Iterable[str | bytes] | None = None,
    cluster: bool = False,
    coverage: float | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Written:
    """Write the predictions of `predict` as JSON lines to a file; an interrupted file is resumed after its last line.

    Each line names the model. `progress` is called with the number of predictions so far and in all (0 if unknown).

    Raises: DataError if `out` is not a regular file, or has predictions of another model or coverage, or for other
    inputs.
    """
    output_file.check(out, "--out")
    predict_chunks, found, model = _prepare(run, inputs, root, stdin, cluster, coverage, read_ahead=True)
    total = 0
    if STDIN not in inputs:
        found = list(found)
        total = sum(chunk.size for chunk in found)
    remaining = iter(found)
    first = next(remaining, None)  # raises for empty inputs, before the file is made
    with out.open("a+b") as file:
        stored = _StoredPredictions(file, out)
        chunk, skipped = _first_incomplete(chain([first] if first else [], remaining), stored, model, coverage)
        resumed = count = stored.count
        file.truncate(stored.end)
        errors = 0
        for predictions in predict_chunks(chain([chunk], remaining) if chunk else ()):
            new = predictions[skipped:]
            # A name that is not UTF-8 is stored with escapes, which JSON reads back.
            lines = [f"{encode({'model': model, **prediction})}\n" for prediction in new]
            file.write("".join(lines).encode(errors="backslashreplace"))
            file.flush()
            errors += sum("error" in prediction for prediction in new)
            count, skipped = count + len(new), 0
            progress(count, total)
    fsync(out)
    return Written(count, resumed, errors)


def _prepare(
    run: str,
    inputs: Sequence[str],
    root: Path,
    stdin: Iterable[str | bytes] | None,
    cluster: bool,
    coverage: float | None,
    read_ahead: bool,
) -> tuple[ChunkPredictor, Iterable[InputChunk], str]:
    """The function that predicts chunks, the chunks, and the model's name in an output line."""
    folder = lookup.model_dir(run, root)
    config = read_config(folder)
    input_type = kind_of(config).input_type(config)
    if input_type == "classes":
        raise DataError(f"{run}: a generator takes no input. Its run's figures/ has images that it generated.")
    if input_type is None:
        raise ConfigError(
            f"{run}: a language model, which predicts no classes. Choose a classifier initialised from it."
        )
    check_arguments(inputs, input_type)
    predictor = load(folder)
    found = chunks(inputs, input_type, stdin)

    def predict_chunks(some: Iterable[InputChunk]) -> Iterator[list[Prediction]]:
        from pipeline.inference.parallel import map_in_threads

        return map_in_threads(lambda chunk: predict_chunk(predictor, chunk), some, read_ahead=read_ahead)

    def predict_on_cluster(some: Iterable[InputChunk]) -> Iterator[list[Prediction]]:
        from pipeline.launch import batch

        return batch.predict_chunks(folder, list(some))

    chosen: ChunkPredictor = predict_on_cluster if cluster else predict_chunks
    if coverage is not None:
        chosen = _with_sets(chosen, coverage, _least_probability(predictor, coverage))
    return chosen, found, model_name(predictor)


def _least_probability(predictor: Predictor, coverage: float) -> float:
    """The probability from which a class is in a prediction set.

    Raises: ConfigError if the model is not calibrated, or on too few samples for that coverage.
    """
    name = predictor.config["name"]
    if not 0 < coverage < 1:
        raise ConfigError(f"--coverage {coverage:g}: expected a number between 0 and 1, such as 0.99.")
    if not has_probabilities(predictor.config):
        raise ConfigError(f"--coverage: the outputs of {name} are not class probabilities. Choose another classifier.")
    calibration = cast(CalibratedClassifier, predictor).calibration
    if calibration is None:
        raise ConfigError(f"--coverage: {name} was stored without a calibration. Train it again.")
    if not (least := calibration.threshold(coverage)):
        samples = len(calibration.true_probability_N)
        raise ConfigError(
            f"--coverage {coverage:g}: {name} was calibrated on {samples:,} samples, which are too few to exclude any "
            f"class. Choose at most {samples / (samples + 1):.4g}."
        )
    return least


def _with_sets(predict_chunks: ChunkPredictor, coverage: float, least: float) -> ChunkPredictor:
    """Add to each prediction its `set`: the most probable class, and each whose probability is at least `least`."""

    def add(prediction: Prediction) -> Prediction:
        if "error" in prediction:
            return {**prediction, "coverage": coverage}
        probable = [
            label
            for label, probability in prediction["probabilities"].items()
            if probability >= least or label == prediction["label"]
        ]
        return {**prediction, "set": probable, "coverage": coverage}

    return lambda some: (list(map(add, predictions)) for predictions in predict_chunks(some))


class _StoredPredictions:
    """The (model, input, coverage) of each complete line of an output file, read one line at a time."""

    def __init__(self, file: IO[bytes], path: Path):
        self.file, self.path = file, path
        self.count, self.end = 0, 0  # complete lines read, and the byte after them
        file.seek(0)

    def read(self) -> tuple[str, str, float | None] | None:
        """The next line; None at the end, or at a line that an interruption cut off.

        Raises: DataError if the line is not a prediction.
        """
        line = self.file.readline(MAX_LINE_BYTES)
        torn = not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES
        if torn and START.startswith(line[: len(START)]):
            return None
        try:
            row = json.loads(line)
            found = row["model"], row["input"], row.get("coverage")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(
                f"{self.path}:{self.count + 1}: not a prediction of `pipeline predict`. Choose another --out; nothing "
                "was changed."
            ) from error
        self.count, self.end = self.count + 1, self.end + len(line)
        return found


def _first_incomplete(
    found: Iterable[InputChunk], stored: _StoredPredictions, model: str, coverage: float | None
) -> tuple[InputChunk | None, int]:
    """The first chunk that has inputs without a stored prediction, and how many of its inputs have one.

    Raises: DataError if a stored prediction is of another model, input or coverage, or there are more than inputs.
    """
    for chunk in found:
        for index, name in enumerate(chunk.names):
            row = stored.read()
            if row is None:
                return chunk, index
            if row != (model, name, coverage):
                expected, got = (_described(*which) for which in ((model, name, coverage), row))
                raise DataError(
                    f"{stored.path}:{stored.count}: expected a prediction of {expected}, got one of {got}. Choose "
                    "another --out; nothing was changed."
                )
    if stored.read():
        raise DataError(
            f"{stored.path}: has predictions for more than these {stored.count - 1:,} inputs. Choose another --out; "
            "nothing was changed."
        )
    return None, 0


def _described(model: str, name: str, coverage: float | None) -> str:
    return f"{model} for {name!r}" + (f" with coverage {coverage:g}" if coverage is not None else "")

"""What a stored model answers, whatever made it: one form for the command line, the server and the page."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline.config import build_data
from pipeline.errors import ConfigError, DataError
from pipeline.inference.inputs import InputChunk, Read, read, suffix
from pipeline.runs.checkpoints import weights_digest
from pipeline.types import InputType, Prediction, Predictor

if TYPE_CHECKING:  # a mistyped run is answered without torch's import
    from pipeline.data.batches import BatchedData


def input_type(predictor: Predictor) -> InputType:
    """What a model is asked about: images (H, W) of 0..255, points, texts, sentences to translate, classes to draw.

    Raises: ConfigError if it answers nothing.
    """
    if predictor.input_type is None:
        raise ConfigError(f"{predictor.config['name']} is a language model: classifiers begin with it.")
    return predictor.input_type


def predict(predictor: Predictor, inputs: Sequence[Any]) -> list[Prediction]:
    """What a model says of each input, in their order.

    A class to draw is the place of its name among the labels; the same class is drawn alike every time.
    """
    return predictor.predict(inputs) if inputs else []


def model_name(predictor: Predictor) -> str:
    """A model's name in answers: its experiment, its seed, the beginning of its weights' digest."""
    return f"{predictor.config['name']}-{predictor.config['seed']}:{weights_digest(predictor.manifest)[:12]}"


def predict_chunk(predictor: Predictor, chunk: InputChunk) -> list[Prediction]:
    """The answer to each input of a chunk, with its name; an `error` in the place of one that can't be read."""
    found = read_inputs(predictor, chunk)
    said = iter(predict(predictor, [content for _, content in found if not isinstance(content, DataError)]))
    return [
        {"input": name, "error": str(content)} if isinstance(content, DataError) else {"input": name, **next(said)}
        for name, content in found
    ]


def read_inputs(predictor: Predictor, chunk: InputChunk) -> list[Read]:
    """Each input of a chunk with its name, as the model takes it; a DataError in the place of one that can't be read.

    Raises: DataError if the model takes no input.
    """
    content = input_type(predictor)
    if content == "classes":
        raise DataError(f"{predictor.config['name']} draws: it takes no input. What it draws is in its run's figures/.")
    shape = predictor.config["data"].get("in_shape")
    if content != "images":
        return list(read(chunk, content, shape, digits=False))
    data: BatchedData = build_data(predictor.config, Path("data"))  # reads pictures as in training
    return list(read(chunk, content, shape, digits=data.centred_digits, picture=data.picture_reader()))


def decode_image(predictor: Predictor, content: bytes, most: int) -> Any:
    """A PNG or JPEG of at most `most` pixels as the model takes it.

    Raises: DataError if it is neither, larger, or broken.
    """
    kind = suffix(content, most)
    with TemporaryDirectory(prefix="pipeline-picture-") as folder:
        path = Path(folder, f"picture{kind}")
        path.write_bytes(content)
        ((_, found),) = read_inputs(predictor, InputChunk("file", (str(path),)))
    if isinstance(found, DataError):
        raise DataError(str(found).removeprefix(f"{path}: "))
    return found

"""Predictions for raw inputs, in one form for the command line, the HTTP server and the pages."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from pipeline.config import build_data
from pipeline.errors import DataError
from pipeline.inference.inputs import InputChunk
from pipeline.inference.reading import NamedInput, image_suffix, read
from pipeline.runs.checkpoints import weights_digest
from pipeline.types import InputType, Prediction, Predictor, RawInput

if TYPE_CHECKING:  # a mistyped run is reported without importing torch
    from pipeline.data.batches import BatchedData


def input_type(predictor: Predictor) -> InputType:
    """The type of a model's inputs: uint8 images (H, W), points, texts, sentences to translate, or class indices.

    Raises: ConfigError if the model can't predict single inputs.
    """
    if predictor.input_type is None:
        from pipeline.inference.language_model import language_model_error

        raise language_model_error(predictor.config["name"])
    return predictor.input_type


def predict(predictor: Predictor, inputs: Sequence[RawInput]) -> list[Prediction]:
    """The prediction for each input, in their order.

    A class to generate is given by its index in the labels; the same class always gives the same image.
    """
    return predictor.predict(inputs) if inputs else []


def model_name(predictor: Predictor) -> str:
    """The name of a model in its predictions: EXPERIMENT-SEED:DIGEST, with 12 digits of its weights' digest."""
    return f"{predictor.config['name']}-{predictor.config['seed']}:{weights_digest(predictor.manifest)[:12]}"


def predict_chunk(predictor: Predictor, chunk: InputChunk) -> list[Prediction]:
    """The prediction for each input of a chunk, with the input's name; an `error` for an input that can't be read."""
    named_inputs = read_inputs(predictor, chunk)
    readable = [content for _, content in named_inputs if not isinstance(content, DataError)]
    predictions = iter(predict(predictor, readable))
    return [
        {"input": name, "error": str(content)}
        if isinstance(content, DataError)
        else {"input": name, **next(predictions)}
        for name, content in named_inputs
    ]


def read_inputs(predictor: Predictor, chunk: InputChunk) -> list[NamedInput]:
    """Each input of a chunk with its name, in the form the model takes; a DataError for one that can't be read.

    Raises: DataError if the model is a generator, which has no inputs to read.
    """
    kind = input_type(predictor)
    if kind == "classes":
        raise DataError(
            f"{predictor.config['name']}: a generator takes no input. Its run's figures/ has images that it generated."
        )
    if kind == "images":
        return _image_reader(predictor)(chunk)
    return list(read(chunk, kind, predictor.config["data"].get("in_shape"), digits=False))


def _image_reader(predictor: Predictor) -> Callable[[InputChunk], list[NamedInput]]:
    """A function that reads images as the model's data set did in training."""
    data: BatchedData = build_data(predictor.config, Path("data"))
    # Pillow holds the pixels, which are only read. Filtered once, since `catch_warnings` is not for threads.
    warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
    shape, digits, reader = predictor.config["data"].get("in_shape"), data.centred_digits, data.picture_reader()
    return lambda chunk: list(read(chunk, "images", shape, digits=digits, image_reader=reader))


def image_decoder(predictor: Predictor, max_pixels: int) -> Callable[[bytes], RawInput]:
    """A function that decodes a PNG or JPEG of at most `max_pixels` pixels as the model's input.

    It raises DataError if the content is neither, larger, or broken.
    """
    read_images = _image_reader(predictor)

    def decode(content: bytes) -> RawInput:
        # Not a temporary folder, whose removal takes milliseconds.
        with NamedTemporaryFile(prefix="pipeline-image-", suffix=image_suffix(content, max_pixels)) as file:
            file.write(content)
            file.flush()
            ((_, image),) = read_images(InputChunk("files", (file.name,)))
        if isinstance(image, DataError):
            raise DataError(str(image).removeprefix(f"{file.name}: "))
        return image

    return decode

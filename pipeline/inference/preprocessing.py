"""Description of the steps from a raw input (a file, a text) to an exported model's input, as metadata of its file.

An exported graph holds the tensor arithmetic: a net's normalisation, softmax and temperature. To decode files and to
split texts is not; docs/how-to/exported-models.md does both with Pillow and `re`, as this metadata says.
"""

from collections.abc import Mapping
from typing import TypeAlias

from pipeline.data.batches import BatchedData
from pipeline.data.images import digits
from pipeline.data.images.image_folder import ImageFolder
from pipeline.data.piglatin.rule import SYMBOLS
from pipeline.data.texts import vocabulary
from pipeline.types import END, PAD, Config, InputType

NAME = "preprocessing.json"
Value: TypeAlias = str | int | bool | Mapping[str, int] | None


def preprocessing(config: Config, input_type: InputType | None, data: BatchedData) -> dict[str, Value]:
    """The steps of a model's inputs, in the order in which they are done; each value is JSON."""
    steps: dict[str, Value] = {"input": input_type}
    if input_type == "images":
        return steps | _of_images(config, data)
    if input_type == "texts":
        return steps | _of_texts(config)
    if input_type == "points":
        return steps | {"numbers": int(config["data"]["in_shape"][0])}
    if input_type == "sentences":
        return steps | {"lowercase": True, "symbols": SYMBOLS, "end": END, "padding": PAD}
    return steps


def _of_images(config: Config, data: BatchedData) -> dict[str, Value]:
    """Pillow's operations, then `divide_by`; `invert_light_border` if the mean of the outermost pixels is over 127."""
    channels, height, width = config["data"]["in_shape"]
    size: dict[str, Value] = {"width": width, "height": height}
    last: dict[str, Value] = {"divide_by": 255, "layout": "BCHW"}
    if isinstance(data, ImageFolder):
        mode = "L" if channels == 1 else "RGB"
        first: dict[str, Value] = {"frame": 0, "exif_orientation": True, "background": "white", "mode": mode}
        return {**first, "resize": "cover", "filter": "bicubic", **size, "invert_light_border": False, **last}
    if data.picture_reader() is not None:
        return {"reader": f"{type(data).__module__}.{type(data).__qualname__}", **size}
    grey: dict[str, Value] = {"frame": 0, "exif_orientation": False, "background": "white", "mode": "L"}
    if not data.centred_digits:
        return {**grey, "resize": "stretch", "filter": "lanczos", **size, "invert_light_border": True, **last}
    # A picture of another size than 28x28 is inverted first, then cropped to its ink, scaled and moved.
    digit: dict[str, Value] = {"box": digits.BOX, "centre_of_mass": digits.MIDDLE}
    return {**grey, "resize": "digit", "filter": "box", **size, **digit, "invert_light_border": True, **last}


def _of_texts(config: Config) -> dict[str, Value]:
    """Regular expressions and numbers beside `vocabulary.json`, whose first `dropped` words are removed from texts."""
    return {
        "space_for": vocabulary._TAG.pattern,
        "lowercase": True,
        "words": vocabulary._WORD.pattern,
        "padding": vocabulary.PADDING,
        "unknown": vocabulary.UNKNOWN,
        "first_word": vocabulary.UNKNOWN + 1,
        "max_tokens": config["data"]["max_tokens"],
        "truncation_side": config["data"]["truncation_side"],
    }

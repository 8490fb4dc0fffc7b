"""What a stored model answers, whatever made it: one form for the command line, the server and the page."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import torch

from pipeline.checkpoint import weights_digest
from pipeline.config import build_data
from pipeline.data.inputs import Picture, Piece, Read, read, suffix
from pipeline.data.piglatin import translate
from pipeline.errors import ConfigError, DataError
from pipeline.predict import BATCH
from pipeline.predict import answers as words

Takes = Literal["images", "points", "texts", "sentences", "classes"]
Answer = dict[str, Any]  # a classifier's label, its probability and all of them; a translation; an image


def takes(predictor: Any) -> Takes:
    """What a model is asked about: images (H, W) of 0..255, points, texts, sentences to translate, classes to draw.

    Raises: ConfigError if it answers nothing.
    """
    task = str(predictor.config["model"].get("_target_", "")).rpartition(".")[2]
    if task == "LanguageModelling":
        raise ConfigError(f"{predictor.config['name']} is a language model: classifiers begin with it.")
    if task in ("GAN", "Translation"):
        return "classes" if task == "GAN" else "sentences"
    shape = predictor.config["data"].get("in_shape")
    if shape is None:
        return "texts"
    return "images" if len(shape) == 3 else "points"


def answers(predictor: Any, inputs: Sequence[Any]) -> list[Answer]:
    """What a model says of each input, in their order.

    A class to draw is the place of its name among the labels; the same class is drawn alike every time.
    """
    if not inputs:
        return []
    kind = takes(predictor)
    if kind == "sentences":
        return [{"label": translate(one, partial(words, predictor.net))} for one in inputs]
    if kind == "classes":
        images_NCHW = predictor.generate(torch.as_tensor(inputs))
        return [{"image": (image_CHW[0] * 255).round().int().tolist()} for image_CHW in images_NCHW]
    scores_NC = scores(predictor, inputs)
    return [named(score_C, predictor.labels) for score_C in scores_NC]


def named_model(predictor: Any) -> str:
    """A model's name in answers: its experiment, its seed, the beginning of its weights' digest."""
    return f"{predictor.config['name']}-{predictor.config['seed']}:{weights_digest(predictor.manifest)[:12]}"


def of_piece(predictor: Any, piece: Piece) -> list[Answer]:
    """The answer to each input of a piece, with its name; an `error` in the place of one that can't be read."""
    found = inputs(predictor, piece)
    said = iter(answers(predictor, [content for _, content in found if not isinstance(content, DataError)]))
    return [
        {"input": name, "error": str(content)} if isinstance(content, DataError) else {"input": name, **next(said)}
        for name, content in found
    ]


def inputs(predictor: Any, piece: Piece) -> list[Read]:
    """Each input of a piece with its name, as the model takes it; a DataError in the place of one that can't be read.

    Raises: DataError if the model takes no input.
    """
    content = takes(predictor)
    if content == "classes":
        raise DataError(f"{predictor.config['name']} draws: it takes no input. What it draws is in its run's figures/.")
    data = predictor.config["data"]
    return list(
        read(piece, content, data.get("in_shape"), digits=data["name"].startswith("mnist"), picture=_picture(predictor))
    )


def picture(predictor: Any, content: bytes, most: int) -> Any:
    """A PNG or JPEG of at most `most` pixels as the model takes it.

    Raises: DataError if it is neither, larger, or broken.
    """
    kind = suffix(content, most)
    with TemporaryDirectory(prefix="pipeline-picture-") as folder:
        path = Path(folder, f"picture{kind}")
        path.write_bytes(content)
        ((_, found),) = inputs(predictor, Piece("file", (str(path),)))
    if isinstance(found, DataError):
        raise DataError(str(found).removeprefix(f"{path}: "))
    return found


def _picture(predictor: Any) -> Picture | None:
    """How the model's data reads a picture, if it has a way of its own."""
    if takes(predictor) != "images":
        return None
    reader: Picture | None = getattr(build_data(predictor.config, Path("data")), "read", None)
    return reader


def scores(predictor: Any, inputs: Sequence[Any]) -> np.ndarray:
    """(N, C) class probabilities of images, points or texts."""
    if takes(predictor) == "texts":
        of_texts: np.ndarray = predictor.texts(inputs)
        return of_texts
    stacked = np.stack([np.asarray(one) for one in inputs])
    given = torch.from_numpy(stacked).float()
    if takes(predictor) == "images" and stacked.dtype == np.uint8:
        given = given.reshape(len(given), *predictor.config["data"]["in_shape"]).div(255)
    return np.concatenate([np.asarray(predictor.probabilities(batch)) for batch in given.split(BATCH)])


def named(score_C: np.ndarray, labels: Sequence[str]) -> Answer:
    """The likeliest class, and what each is given."""
    best = int(score_C.argmax())
    each = {label: float(score) for label, score in zip(labels, score_C, strict=True)}
    return {"label": labels[best], "probability": float(score_C[best]), "probabilities": each}

"""Draw a digit: what perceptron, MLP and CNN make of it, what each rests on, and what the CNN's convolutions see."""

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from pipeline.app import stored
from pipeline.app.pages import Page

SIDE = 140  # of the drawing, in pixels
MODELS = {"perceptron_mnist": "Perceptron", "mlp_mnist": "MLP", "mnist_cnn": "CNN"}
router = APIRouter(prefix="/digits")
Pixels = Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=SIDE * SIDE, max_length=SIDE * SIDE)]


class Drawing(BaseModel):
    """White ink on black, row by row."""

    pixels: Pixels


@router.post("/answer")
def answer(drawing: Drawing, request: Request) -> dict[str, Any]:
    """What the nets see, and what each answers."""
    import torch

    from pipeline.data.images.digits import centred
    from pipeline.inference import attribution, feature_maps
    from pipeline.inference.predictor import class_prediction

    seen = centred(np.array(drawing.pixels, np.uint8).reshape(SIDE, SIDE))
    image_CHW = torch.from_numpy(seen)[None].float() / 255
    told: dict[str, Any] = {"seen": seen.tolist(), "models": [], "maps": []}
    for experiment, title in MODELS.items():
        found = stored.model(request.app.state.root, experiment)
        if found is None:
            told["models"].append({"title": title, **stored.missing(experiment)})
            continue
        predictor = found.predictor
        scores = predictor.probabilities(image_CHW[None])[0].numpy()
        rests = attribution.patch_occlusion(predictor, image_CHW, int(scores.argmax()))
        said = class_prediction(scores, predictor.labels)
        shown = {"title": title, "experiment": experiment, "source": found.source, "rests": np.round(rests, 3).tolist()}
        told["models"].append({**shown, **said})
        if title == "CNN":
            told["maps"] = [_grey(maps) for maps in feature_maps.feature_maps(predictor.net, image_CHW)]
    return told


def _grey(maps_CHW: np.ndarray) -> list[Any]:
    """Each map from 0 to 255, by its layer's largest value."""
    largest = max(float(maps_CHW.max()), 1e-9)
    return (maps_CHW.clip(0) * (255 / largest)).round().astype(int).tolist()  # type: ignore[no-any-return]


PAGE = Page("digits", "Digits", "Draw a digit: perceptron, MLP and CNN side by side.", router)

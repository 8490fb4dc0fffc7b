"""Digits page: predictions of perceptron, MLP and CNN for a drawn digit, their attribution, the CNN's feature maps."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, cast

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from pipeline.app import stored
from pipeline.app.pages import Page

if TYPE_CHECKING:
    from torch import Tensor

    from pipeline.inference.predictor import ImageClassifier

SIDE = 140  # pixels of a drawing's side
MODELS = {"perceptron_mnist": "Perceptron", "mlp_mnist": "MLP", "mnist_cnn": "CNN"}
SURE = 0.9  # a probability from which a network counts as sure
router = APIRouter(prefix="/digits")
Pixels = Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=SIDE * SIDE, max_length=SIDE * SIDE)]


class Drawing(BaseModel):
    """A square drawing, white ink on black, row by row."""

    pixels: Pixels


@router.get("/models")
def load_models(request: Request) -> dict[str, object]:
    """Load the models, so that the first prediction is fast; the response names those that are ready."""
    root = request.app.state.root
    return {"ready": [title for experiment, title in MODELS.items() if stored.find_model(root, experiment)]}


@router.post("/predict")
def predict(drawing: Drawing, request: Request) -> dict[str, object]:
    """The 28x28 input, each model's prediction and attribution, the CNN's feature maps, and whether none is sure."""
    import torch

    from pipeline.data.images.digits import centred
    from pipeline.inference import feature_maps

    input_HW = centred(np.array(drawing.pixels, np.uint8).reshape(SIDE, SIDE))
    image_CHW = torch.from_numpy(input_HW)[None].float() / 255
    models: list[dict[str, object]] = []
    maps: list[object] = []
    for experiment, title in MODELS.items():
        model = stored.find_model(request.app.state.root, experiment)
        if model is None:
            models.append({"title": title, **stored.untrained(experiment)})
            continue
        models.append({"title": title, "experiment": experiment, "source": model.source, **_explain(model, image_CHW)})
        if title == "CNN":
            net = cast("ImageClassifier", model.predictor).net
            maps = [_grey(maps_CHW) for maps_CHW in feature_maps.feature_maps(net, image_CHW)]
    return {"input": input_HW.tolist(), "models": models, "maps": maps, "doubtful": doubtful(models)}


def doubtful(models: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the picture may be no digit.

    It may be none if a network finds it unlike the images of validation (`unfamiliar`), if no network is sure of a
    digit, or if two are sure of different ones. The last two are a rule of thumb on the probabilities; a perceptron has
    none. False if no model has probabilities.
    """
    if any(model.get("unfamiliar") for model in models):
        return True
    judged = [model for model in models if "probability" in model]
    sure = {model["label"] for model in judged if model["probability"] >= SURE}
    return bool(judged) and len(sure) != 1


def _explain(model: stored.StoredModel, image_CHW: "Tensor") -> dict[str, object]:
    """The prediction for an image, and for each pixel the log-odds that the class loses where it is covered.

    A perceptron's prediction has `scores`, and the `margin` of the largest, in place of probabilities.
    """
    import torch

    from pipeline.evaluation.calibration import has_probabilities
    from pipeline.inference import attribution
    from pipeline.inference.prediction import class_prediction

    predictor = cast("ImageClassifier", model.predictor)
    scores_C = predictor.probabilities(image_CHW[None])[0].numpy()
    effects_HW = attribution.patch_occlusion(predictor, image_CHW, int(scores_C.argmax()))
    shown: dict[str, object] = {"attribution": np.round(effects_HW, 3).tolist()}
    if has_probabilities(predictor.config):
        if (unfamiliar_B := predictor.unfamiliar(image_CHW[None])) is not None:
            shown["unfamiliar"] = bool(unfamiliar_B[0])
        return {**class_prediction(scores_C, predictor.labels, predictor.calibration), **shown}
    with torch.inference_mode():
        return {**scored(predictor.net(image_CHW[None])[0].numpy(), predictor.labels), **shown}


def scored(scores_C: np.ndarray, labels: Sequence[str]) -> dict[str, object]:
    """The class with the largest score, all scores, and the margin: by how much the largest exceeds the next."""
    second, best = np.argsort(scores_C)[-2:]
    scores = {label: round(float(score), 3) for label, score in zip(labels, scores_C, strict=True)}
    return {"label": labels[best], "scores": scores, "margin": round(float(scores_C[best] - scores_C[second]), 3)}


def _grey(maps_CHW: np.ndarray) -> list[list[list[int]]]:
    """Feature maps as 0 to 255, scaled by the layer's largest activation."""
    largest = max(float(maps_CHW.max()), 1e-9)
    return (maps_CHW.clip(0) * (255 / largest)).round().astype(int).tolist()  # type: ignore[no-any-return]


PAGE = Page("digits", "Digits", "Draw a digit: perceptron, MLP and CNN side by side.", router)

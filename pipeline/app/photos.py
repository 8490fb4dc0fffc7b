"""Photos page: every model trained on a folder of pictures classifies a dropped picture."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from pipeline.app import stored
from pipeline.app.pages import Page

if TYPE_CHECKING:
    from pipeline.inference.predictor import ImageClassifier

TRAINED_ON = "pipeline.data.images.image_folder.ImageFolder"
EXAMPLE = "dogcat_transfer"  # the experiment to train where there is no model yet
# The page scales larger pictures down before it sends them. Decoding takes about 16 bytes of memory a pixel.
MAX_PIXELS = 8_000_000
router = APIRouter(prefix="/photos")


@router.post("/predict")
async def predict(request: Request) -> dict[str, object]:
    """The predictions for the PNG or JPEG in the body."""
    return await run_in_threadpool(_predict, request.app.state.root, await request.body())


def _predict(root: Path, content: bytes) -> dict[str, object]:
    experiments = stored.experiments_on(root, TRAINED_ON)
    if not experiments:
        return {"models": [{"title": EXAMPLE, **stored.untrained(EXAMPLE)}]}
    return {
        "models": [_explain(experiment, stored.find_model(root, experiment), content) for experiment in experiments]
    }


def _explain(experiment: str, model: stored.StoredModel | None, content: bytes) -> dict[str, object]:
    """A model's prediction, its input as a PNG, and the log-odds lost where a region is covered."""
    if model is None:
        return {"title": experiment, **stored.untrained(experiment)}
    import torch

    from pipeline.inference.attribution import region_effects
    from pipeline.inference.prediction import class_prediction
    from pipeline.inference.requests import image_decoder
    from pipeline.report.details import png

    predictor = cast("ImageClassifier", model.predictor)
    image_CHW = torch.as_tensor(image_decoder(predictor, MAX_PIXELS)(content))
    scores_C = predictor.probabilities(image_CHW[None])[0].numpy()
    prediction = class_prediction(scores_C, predictor.labels, predictor.calibration)
    shown = png(image_CHW.permute(1, 2, 0).squeeze(2).numpy())
    effects = region_effects(predictor, image_CHW).round(3).tolist()
    return {"title": experiment, "source": model.source, **prediction, "input": shown, "attribution": effects}


PAGE = Page("photos", "Photos", "Drop a picture: all models trained on folders of pictures, side by side.", router)

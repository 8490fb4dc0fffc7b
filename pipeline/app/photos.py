"""Drop a picture: what every net that learned from folders of pictures makes of it, and what each answer rests on."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from pipeline.app import stored
from pipeline.app.pages import Page

LEARNED_FROM = "pipeline.data.images.image_folder.ImageFolder"
EXAMPLE = "dogcat_transfer"  # what to train where there is none
PIXELS = 40_000_000  # of a picture
router = APIRouter(prefix="/photos")


@router.post("/answer")
async def answer(request: Request) -> dict[str, Any]:
    """The answers to the PNG or JPEG that is the body."""
    return await run_in_threadpool(_answer, request.app.state.root, await request.body())


def _answer(root: Any, content: bytes) -> dict[str, Any]:
    names = stored.experiments(root, LEARNED_FROM)
    if not names:
        return {"models": [{"title": EXAMPLE, **stored.missing(EXAMPLE)}]}
    models = [(name, stored.model(root, name)) for name in names]
    return {"models": [_said(name, model, content) for name, model in models if model]}


def _said(name: str, found: stored.Found, content: bytes) -> dict[str, Any]:
    import torch

    from pipeline.inference.attribution import region_effects
    from pipeline.inference.predictor import class_prediction
    from pipeline.inference.requests import decode_image
    from pipeline.report.details import png

    predictor = found.predictor
    seen_CHW = torch.as_tensor(decode_image(predictor, content, PIXELS))
    said = class_prediction(predictor.probabilities(seen_CHW[None])[0].numpy(), predictor.labels)
    seen = png(seen_CHW.permute(1, 2, 0).squeeze(2).numpy())
    rests = region_effects(predictor, seen_CHW).round(3).tolist()
    return {"title": name, "source": found.source, **said, "seen": seen, "rests": rests}


PAGE = Page("photos", "Photos", "Drop a picture: the nets that learned from folders of pictures, side by side.", router)

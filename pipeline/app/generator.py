"""The generator: digits by class, sliders through its latent space, the way between two drawings, its training."""

from base64 import b64encode
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from pipeline.app import stored
from pipeline.app.pages import Page

EXPERIMENT = "mnist_gan"
SLIDERS = 6
STEPS = 9  # of the way between two drawings
router = APIRouter(prefix="/generator")
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Slider = Annotated[float, Field(ge=-3, le=3)]


class Asked(BaseModel):
    """A seed for the noise, how far to go along each slider's direction, and the seed to walk to."""

    seed: Seed
    other: Seed
    sliders: Annotated[list[Slider], Field(min_length=SLIDERS, max_length=SLIDERS)]
    label: Annotated[int, Field(ge=0, le=9)]


@router.post("/draw")
def draw(asked: Asked, request: Request) -> dict[str, Any]:
    """The same noise drawn as each class, and the chosen class on the way to the other noise."""
    import torch

    found = stored.model(request.app.state.root, EXPERIMENT)
    if found is None:
        return stored.missing(EXPERIMENT)
    net = found.predictor.net
    size = net.noise
    directions_ZZ, _ = torch.linalg.qr(_noise(size * size, 0).reshape(size, size))
    start_Z = _noise(size, asked.seed) + torch.tensor(asked.sliders) @ directions_ZZ[:SLIDERS]
    share_S1 = torch.linspace(0, torch.pi / 2, STEPS)[:, None]
    # A quarter turn from one noise to the other: half-way of a straight line, noise is shorter than the net has seen.
    way_SZ = share_S1.cos() * start_Z + share_S1.sin() * _noise(size, asked.other)
    noise_NZ = torch.cat([start_Z.expand(10, -1), way_SZ])
    labels_N = torch.cat([torch.arange(10), torch.full((STEPS,), asked.label)])
    with torch.inference_mode():
        images = (net(noise_NZ, labels_N)[:, 0] * 255).round().int().tolist()
    return {"experiment": EXPERIMENT, "source": found.source, "noise": size, "classes": images[:10], "way": images[10:]}


@router.get("/samples")
def samples(request: Request) -> dict[str, Any]:
    """What the net drew from the same noise over its epochs, one of each class: of its run, else what was recorded."""
    root = request.app.state.root
    if (found := stored.model(root, EXPERIMENT)) is None:
        return {"epochs": []}
    kept = sorted((found.place.parent / "samples").glob("epoch-*.npy"))
    shown = [kept[round(at)] for at in np.linspace(0, len(kept) - 1, min(8, len(kept)))]
    sheet = found.place / "samples.png"  # of a recorded model
    picture = b64encode(sheet.read_bytes()).decode() if not kept and sheet.is_file() else None
    return {"epochs": [np.load(path)[::10].tolist() for path in shown], "picture": picture}


def _noise(size: int, seed: int) -> Any:
    import torch

    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


PAGE = Page("generator", "Generator", "A GAN draws digits: walk through what it can draw.", router)

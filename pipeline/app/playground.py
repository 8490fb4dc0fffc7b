"""The Playground: tinker with a small net on points in the plane, as on playground.tensorflow.org."""

from fastapi import APIRouter

from pipeline.app.pages import Page

router = APIRouter(prefix="/playground")
PAGE = Page("playground", "Playground", "Tinker with a neural network, right here in your browser.", router)

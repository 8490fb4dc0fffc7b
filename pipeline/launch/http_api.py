"""The HTTP API of a served model: requests, their limits, responses and the schema. Independent of Ray."""

import asyncio
import html
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import Base64Bytes, BaseModel, Field, create_model
from starlette.exceptions import HTTPException as HTTPError
from starlette.middleware.trustedhost import TrustedHostMiddleware

from pipeline.errors import DataError
from pipeline.inference.requests import image_decoder, input_type, model_name
from pipeline.launch.http_body import HOSTS, example, route_of
from pipeline.types import Prediction, Predictor, RawInput

MAX_INPUTS = 64  # in a request
MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS = 2**20, 2**22
MAX_TEXT_CHARACTERS = 20_000
MAX_BODY_BYTES = 16 * 2**20
MAX_COORDINATE = 1e6


class PredictionResponse(BaseModel):
    """A prediction: a class with its probability and those of all classes, a translation, or an image of 0..255.

    `unfamiliar`: whether an image is unlike those that the model was validated on, or a text has no word that it knows.
    """

    label: str | None = None
    probability: float | None = None
    probabilities: dict[str, float] | None = None
    unfamiliar: bool | None = None
    image: list[list[int]] | None = None


class Response(BaseModel):
    """The model (name, seed, the first digits of its weights' digest) and its predictions in the inputs' order."""

    model: str
    answers: list[PredictionResponse]


class Health(BaseModel):
    """A replica of the model is ready."""

    status: Literal["ok"]
    model: str


def create(
    predictor: Predictor,
    predict_many: Callable[[list[RawInput]], Awaitable[list[Prediction]]],
    hosts: Sequence[str] = HOSTS,
) -> FastAPI:
    """The application that serves a model; `predict_many` returns its predictions for the inputs of a request.

    Requests must name one of `hosts`: the name of another site may resolve to this machine.
    """
    kind, model = input_type(predictor), model_name(predictor)
    # FastAPI's own pages of documentation would load scripts from another host.
    app = FastAPI(
        title=model, version=model.rpartition(":")[2], docs_url=None, redoc_url=None, max_body_size=MAX_BODY_BYTES
    )
    schema: Any = create_model("Request", **{kind: (_field(predictor), ...)})  # type: ignore[call-overload]

    decode = image_decoder(predictor, MAX_IMAGE_PIXELS) if kind == "images" else None

    async def predict(request: schema) -> dict[str, object]:
        inputs = getattr(request, kind)
        if decode:
            inputs = await asyncio.to_thread(_images, decode, inputs)
        elif kind == "classes":
            inputs = [predictor.labels.index(label) for label in inputs]
        return {"model": model, "answers": await predict_many(inputs)}

    async def health() -> dict[str, str]:
        await predict_many([])
        return {"status": "ok", "model": model}

    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(_docs(predictor, str(request.base_url).rstrip("/")))

    any_body = APIRouter(route_class=route_of(kind))
    any_body.add_api_route(
        "/predict", predict, methods=["POST"], response_model=Response, response_model_exclude_none=True
    )
    app.include_router(any_body)
    app.add_api_route("/health", health, methods=["GET"], response_model=Health)
    app.add_api_route("/docs", docs, methods=["GET"], include_in_schema=False)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPError, _refused)
    return app


def _docs(predictor: Predictor, address: str) -> str:
    """A page that explains the API; FastAPI's own would load scripts from another host."""
    kind, model = input_type(predictor), html.escape(model_name(predictor))
    body = json.dumps({kind: ["…"]}, ensure_ascii=False)
    bodies = {
        "images": "Files of an HTML form, the bytes of one image, or JSON with images in base 64.",
        "texts": "Plain text, or JSON.",
        "sentences": "Plain text, or JSON.",
    }.get(kind, "JSON.")
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{model}</title><h1>{model}</h1>"
        f"<p>Takes {kind}; at most {MAX_INPUTS} in a request of {MAX_BODY_BYTES >> 20} MiB. {bodies}</p>"
        f"<pre>{html.escape(example(kind, address))}</pre>"
        f"<p><code>POST /predict</code> <code>{html.escape(body)}</code> answers <code>model</code> and "
        "<code>answers</code>, one for each input in its order. <code>GET /health</code> answers when the model is "
        "ready. <a href=openapi.json>OpenAPI</a></p></html>"
    )


def _field(predictor: Predictor) -> Any:
    """The type of a request's inputs, with its limits."""
    number = Annotated[float, Field(ge=-MAX_COORDINATE, le=MAX_COORDINATE, allow_inf_nan=False)]
    kind = input_type(predictor)
    item: Any = Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS)]
    if kind == "images":
        item = Annotated[Base64Bytes, Field(max_length=MAX_IMAGE_BYTES, description="A PNG or JPEG, in base 64.")]
    elif kind == "points":
        count = predictor.config["data"]["in_shape"][0]
        item = Annotated[list[number], Field(min_length=count, max_length=count)]
    elif kind == "classes":
        item = Literal[predictor.labels]
    return Annotated[list[item], Field(min_length=1, max_length=MAX_INPUTS)]


def _images(decode: Callable[[bytes], RawInput], contents: list[bytes]) -> list[RawInput]:
    """The net's inputs from image files, read as `pipeline predict` reads them.

    Raises: HTTPException for one that can't be read.
    """
    images = []
    for place, content in enumerate(contents):
        try:
            images.append(decode(content))
        except DataError as error:
            raise HTTPException(422, f"images[{place}]: {error}") from error
    return images


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """The place and the cause of a request's error, without repeating the request."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"][1:])
    return JSONResponse({"error": f"{where.lstrip('.') or 'body'}: {first['msg']}"}, 422)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPError)
    return JSONResponse({"error": error.detail}, error.status_code)

"""What a served model is asked over HTTP and what it says: the requests, their limits, the schema. Knows no Ray."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Base64Bytes, BaseModel, Field, create_model
from starlette.exceptions import HTTPException as HTTPError
from starlette.middleware.trustedhost import TrustedHostMiddleware

from pipeline.errors import DataError
from pipeline.inference.requests import decode_image, input_type, model_name
from pipeline.types import Prediction, Predictor

ITEMS = 64  # in a request
IMAGE_BYTES, IMAGE_PIXELS = 2**20, 2**22
TEXT_LETTERS = 20_000
BODY_BYTES = 16 * 2**20
FARTHEST = 1e6  # of a point's numbers
HOSTS = ["127.0.0.1", "localhost"]


class Said(BaseModel):
    """One answer: a class with its probability and all of them, a translation, or a drawn image of 0..255."""

    label: str | None = None
    probability: float | None = None
    probabilities: dict[str, float] | None = None
    image: list[list[int]] | None = None


class Reply(BaseModel):
    """Which model answered (name, seed, the beginning of its weights' digest), and its answers in the inputs' order."""

    model: str
    answers: list[Said]


class Health(BaseModel):
    """That a replica of the model answers."""

    status: Literal["ok"]
    model: str


def create(predictor: Predictor, answer: Callable[[Any], Awaitable[Prediction]]) -> FastAPI:
    """The application that serves a model; `answer` says what it makes of one input."""
    kind, model = input_type(predictor), model_name(predictor)
    # FastAPI's own pages of documentation would load scripts from another host.
    app = FastAPI(
        title=model, version=model.rpartition(":")[2], docs_url=None, redoc_url=None, max_body_size=BODY_BYTES
    )
    question: Any = create_model("Question", **{kind: (_field(predictor), ...)})  # type: ignore[call-overload]

    async def predict(asked: question) -> Any:
        given = getattr(asked, kind)
        if kind == "images":
            given = await asyncio.to_thread(_pictures, predictor, given)
        elif kind == "classes":
            given = [predictor.labels.index(label) for label in given]
        return {"model": model, "answers": await asyncio.gather(*map(answer, given))}

    async def health() -> Any:
        return {"status": "ok", "model": model}

    app.add_api_route("/predict", predict, methods=["POST"], response_model=Reply, response_model_exclude_none=True)
    app.add_api_route("/health", health, methods=["GET"], response_model=Health)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)  # another site's name may point to this machine
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPError, _refused)
    return app


def _field(predictor: Predictor) -> Any:
    """The type of a request's inputs, with its limits."""
    number = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST, allow_inf_nan=False)]
    kind = input_type(predictor)
    one: Any = Annotated[str, Field(max_length=TEXT_LETTERS)]
    if kind == "images":
        one = Annotated[Base64Bytes, Field(max_length=IMAGE_BYTES, description="A PNG or JPEG, in base 64.")]
    elif kind == "points":
        count = predictor.config["data"]["in_shape"][0]
        one = Annotated[list[number], Field(min_length=count, max_length=count)]
    elif kind == "classes":
        one = Literal[predictor.labels]
    return Annotated[list[one], Field(min_length=1, max_length=ITEMS)]


def _pictures(predictor: Predictor, contents: list[bytes]) -> list[Any]:
    """Pictures as the net sees them, read as `pipeline predict` reads files.

    Raises: HTTPException for one that can't be read.
    """
    found = []
    for place, content in enumerate(contents):
        try:
            found.append(decode_image(predictor, content, IMAGE_PIXELS))
        except DataError as error:
            raise HTTPException(422, f"images[{place}]: {error}") from error
    return found


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Where a request is wrong and why, without repeating what it holds."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"][1:])
    return JSONResponse({"error": f"{where.lstrip('.') or 'body'}: {first['msg']}"}, 422)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPError)
    return JSONResponse({"error": error.detail}, error.status_code)

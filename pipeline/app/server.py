"""The server of the pages: a FastAPI application on loopback, nothing else reachable."""

import hashlib
import socket
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp

from pipeline.app import live
from pipeline.app.pages import File, Page, files
from pipeline.app.playground import warm
from pipeline.app.safety import Safety
from pipeline.errors import PipelineError

WEBSOCKET_BYTES = 2**20  # of one message
MODULES = (
    "playground",
    "digits",
    "photos",
    "reviews",
    "generator",
    "piglatin",
    "live",
)  # of pipeline/app, in the order of the navigation


def create(root: Path, port: int) -> ASGIApp:
    """All pages of a project whose folder is `root`, to be served at 127.0.0.1:`port`."""
    # FastAPI's own pages of documentation would load scripts from another host.
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.root = root
    pages: list[Page] = [import_module(f"pipeline.app.{name}").PAGE for name in MODULES]
    for page in pages:
        app.include_router(page.router)
    for address, file in files(pages).items():
        app.add_api_route(address, _sender(file), methods=["GET", "HEAD"])
    app.add_api_route("/", lambda: RedirectResponse(f"/{pages[0].name}"), methods=["GET"])
    app.add_exception_handler(PipelineError, _told)
    return Safety(app, port)


def _sender(file: File) -> Callable[[Request], Response]:
    tag = f'"{hashlib.sha256(file.content).hexdigest()[:16]}"'
    headers = {"etag": tag, "cache-control": "no-cache"}  # ask each time; 304 if it is the same

    def send(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=file.kind, headers=headers)

    return send


async def _told(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 400)


class _Server(uvicorn.Server):
    """Tells when requests are answered."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]):
        super().__init__(config)
        self.tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.tell()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        live.end()


def serve(root: Path, listening: socket.socket, started: Callable[[], None]) -> None:
    """Serve on a bound loopback socket until interrupted; `started()` is called once requests are answered."""
    config = uvicorn.Config(
        create(root, listening.getsockname()[1]),
        log_level="warning",
        server_header=False,
        lifespan="off",
        ws_max_size=WEBSOCKET_BYTES,
        ws_per_message_deflate=False,  # would cost more time than loopback saves
        timeout_graceful_shutdown=2,
    )
    warm()
    _Server(config, started).run(sockets=[listening])

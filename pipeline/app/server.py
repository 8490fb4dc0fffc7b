"""The web server of the pages: a FastAPI application on loopback."""

import hashlib
import signal
import socket
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp

from pipeline.app import live
from pipeline.app.pages import File, Page, build_files
from pipeline.app.playground import preload
from pipeline.app.safety import Safety
from pipeline.app.validation import describe
from pipeline.errors import PipelineError
from pipeline.runs import interruption

WEBSOCKET_BYTES = 2**20  # largest message
# Modules of pipeline/app, in the order of the navigation.
MODULES = ("playground", "digits", "photos", "reviews", "generator", "piglatin", "live")


def create_app(root: Path, port: int) -> ASGIApp:
    """The application with all pages of the project in `root`, to be served at 127.0.0.1:`port`."""
    # FastAPI's documentation pages would load scripts from another host.
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.root = root
    pages: list[Page] = [import_module(f"pipeline.app.{name}").PAGE for name in MODULES]
    for page in pages:
        app.include_router(page.router)
    for address, file in build_files(pages).items():
        app.add_api_route(address, _sender(file), methods=["GET", "HEAD"])
    app.add_api_route("/", lambda: RedirectResponse(f"/{pages[0].name}"), methods=["GET"])
    app.add_exception_handler(PipelineError, _pipeline_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    return Safety(app, port)


def _sender(file: File) -> Callable[[Request], Response]:
    tag = f'"{hashlib.sha256(file.content).hexdigest()[:16]}"'
    headers = {"etag": tag, "cache-control": "no-cache"}  # browsers ask each time and get 304 for an unchanged file

    def send(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=file.media_type, headers=headers)

    return send


async def _pipeline_error(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 400)


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    """FastAPI's own response repeats the input and fails for NaN and for text that is not valid Unicode."""
    return JSONResponse({"error": describe(cast(RequestValidationError, error).errors())}, 422)


class _Server(uvicorn.Server):
    """Calls `on_start` once requests are served, and ends child processes at shutdown."""

    def __init__(self, config: uvicorn.Config, root: Path, on_start: Callable[[], None]):
        super().__init__(config)
        self.root, self.on_start = root, on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        live.interrupt_children(self.root)


def serve(root: Path, listening: socket.socket, started: Callable[[], None]) -> None:
    """Serve on a bound loopback socket until interrupted; `started()` is called once requests are served."""
    # Accepted connections inherit the option. asyncio sets it only on sockets that name their protocol; with Nagle's
    # algorithm and delayed acknowledgements every request of a kept connection would take 40 ms longer.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        create_app(root, listening.getsockname()[1]),
        log_level="warning",
        server_header=False,
        lifespan="off",
        ws_max_size=WEBSOCKET_BYTES,
        ws_per_message_deflate=False,  # costs more time than loopback saves
        timeout_graceful_shutdown=2,
    )
    preload()
    server = _Server(config, root, started)
    # A closed terminal does not reach the child processes, and uvicorn leaves SIGHUP alone.
    with interruption.handling(server.handle_exit, signal.SIGHUP):
        server.run(sockets=[listening])

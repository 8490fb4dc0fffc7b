"""Request bodies other than JSON: an uploaded file, the bytes of an image, a plain text."""

import base64
import json
from collections.abc import Callable, Coroutine
from email import message_from_bytes
from email.policy import HTTP
from typing import Any
from urllib.parse import urlsplit

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

from pipeline.types import InputType

HOSTS = ["127.0.0.1", "localhost"]  # names of this machine
IN_WORDS = ("texts", "sentences")


def example(kind: InputType, address: str) -> str:
    """A command that sends a model one input."""
    if kind == "images":
        return f"curl -F file=@x.png {address}/predict"
    if kind in IN_WORDS:
        return f"curl -d 'some words' {address}/predict"
    value = '{"points": [[0, 1]]}' if kind == "points" else '{"classes": ["0"]}'
    return f"curl -H 'content-type: application/json' -d '{value}' {address}/predict"


def as_json(kind: InputType, content_type: str, body: bytes) -> bytes | None:
    """The body of a request as the JSON that stands for it; None if it is JSON, or of a type that is not read."""
    form = content_type.partition(";")[0].strip().lower()
    if form == "multipart/form-data":
        message = message_from_bytes(b"content-type: " + content_type.encode() + b"\r\n\r\n" + body, policy=HTTP)
        files = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    elif (kind == "images" and form.startswith("image/")) or (
        kind in IN_WORDS and form in ("text/plain", "application/x-www-form-urlencoded")
    ):
        files = [body]
    else:
        return None
    contents = [file for file in files if isinstance(file, bytes)]
    if kind == "images":
        return json.dumps({kind: [base64.b64encode(content).decode() for content in contents]}).encode()
    return json.dumps({kind: [content.decode("utf-8", "replace").strip() for content in contents]}).encode()


def route_of(kind: InputType) -> type[APIRoute]:
    """A route that takes what `as_json` reads, and checks it as it checks JSON."""

    class AnyBody(APIRoute):
        """Passes a request on as JSON."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def passed_on(request: Request) -> Response:
                converted = as_json(kind, request.headers.get("content-type", ""), await request.body())
                if converted is None:
                    return await handle(request)
                # Browsers send such bodies for pages of other sites, too, and ask beforehand for JSON alone.
                if urlsplit(request.headers.get("origin", "http://localhost")).hostname not in HOSTS:
                    raise HTTPException(403, "origin: another site's page. Only pages of this machine may send this.")
                return await handle(_with_json(request, converted))

            return passed_on

    return AnyBody


def _with_json(request: Request, body: bytes) -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    others = [
        (name, value) for name, value in request.scope["headers"] if name not in (b"content-type", b"content-length")
    ]
    headers = [*others, (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    return Request({**request.scope, "headers": headers}, receive)

"""Middleware that refuses requests of other hosts and origins, large bodies, and too many requests a second.

A page of another site can make the browser send requests to this server. The Host header reveals DNS rebinding; the
Origin header reveals cross-site requests and websockets, which the same-origin policy does not stop. Sources: OWASP
cheat sheets on cross-site request forgery and websockets.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES = 4 * 2**20
REQUESTS_PER_S, BURST = 50.0, 200.0
CLIENTS = 1024  # whose rates are kept
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class RateLimit:
    """A token bucket of `burst` tokens, refilled at `per_s`; `take` returns whether a token was left."""

    def __init__(self, per_s: float, burst: float, now: Callable[[], float] = time.monotonic):
        self.per_s, self.burst, self.now = per_s, burst, now
        self.tokens, self.at = burst, now()

    def take(self) -> bool:
        now = self.now()
        self.tokens, self.at = min(self.burst, self.tokens + (now - self.at) * self.per_s), now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class BodyTooLargeError(Exception):
    """A body exceeded the limit while it was read."""


class Safety:
    """The outermost layer of the server: refuses requests, and adds security headers to responses."""

    def __init__(self, app: ASGIApp, port: int, body_bytes: int = BODY_BYTES):
        self.app, self.body_bytes = app, body_bytes
        self.hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        self.origins = {f"http://{host}" for host in self.hosts}
        self.rates: OrderedDict[str, RateLimit] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if refusal := self.refusal(scope):
            await self._refuse(*refusal, scope, receive, send)
        elif scope["type"] == "websocket":
            await self.app(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and reason if a request is refused for its headers; None if it is accepted."""
        headers = Headers(scope=scope)
        if headers.getlist("host")[1:] or headers.get("host", "").lower() not in self.hosts:
            return 421, "This server serves only its own address on this machine."
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        origins = headers.getlist("origin")
        if (origins or not reads) and (len(origins) != 1 or origins[0].lower() not in self.origins):
            return 403, "Only pages of this server may send this request."
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > self.body_bytes:
            return 413, f"A request may have at most {self.body_bytes:,} bytes."
        if not self._rate(scope).take():
            return 429, "Too many requests. Wait a second."
        return None

    def _rate(self, scope: Scope) -> RateLimit:
        client = (scope.get("client") or ("",))[0]
        rate = self.rates.pop(client, None) or RateLimit(REQUESTS_PER_S, BURST)
        self.rates[client] = rate
        if len(self.rates) > CLIENTS:
            self.rates.popitem(last=False)
        return rate

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        size, too_large, started = 0, False, False

        async def limited_receive() -> Message:
            nonlocal size, too_large
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.body_bytes:  # a chunked body has no content-length
                too_large = True
                raise BodyTooLargeError
            return message

        async def add_headers(message: Message) -> None:
            nonlocal started
            if too_large and not started:
                return  # FastAPI's own response to the error, with status 400 or 500
            if message["type"] == "http.response.start":
                started = True
                extra = [(key.encode(), value.encode()) for key, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        with suppress(BodyTooLargeError):
            await self.app(scope, limited_receive, add_headers)
        if too_large and not started:
            await self._refuse(413, f"A request may have at most {self.body_bytes:,} bytes.", scope, receive, send)

    async def _refuse(self, status: int, reason: str, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()  # the connect message
            await send({"type": "websocket.close", "code": 1008, "reason": reason})
            return
        await JSONResponse({"error": reason}, status, HEADERS)(scope, receive, send)

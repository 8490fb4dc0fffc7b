"""What a request must be before any page sees it: from this machine, from our own pages, small, and not too frequent.

A page on another site can make the browser send requests here: the Host (DNS rebinding) and the Origin (cross-site
requests and websockets, which no same-origin policy stops) tell them from ours. Sources: OWASP cheat sheets on
cross-site request forgery and websockets.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES = 4 * 2**20
REQUESTS_PER_S, BURST = 50.0, 200.0
CLIENTS = 1024  # whose rates are remembered
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Rate:
    """A bucket of `burst` tokens that fills at `per_s`; `take` says whether there was one."""

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


class TooLarge(Exception):
    """A body went over the limit while it was read."""


class Safety:
    """The outermost layer of the server: refuses what is not allowed, and tells browsers to be careful."""

    def __init__(self, app: ASGIApp, port: int, body_bytes: int = BODY_BYTES):
        self.app, self.body_bytes = app, body_bytes
        self.hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        self.origins = {f"http://{host}" for host in self.hosts}
        self.rates: OrderedDict[str, Rate] = OrderedDict()

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
        """The status and reason with which a request is refused by its headers alone."""
        headers = Headers(scope=scope)
        if headers.getlist("host")[1:] or headers.get("host", "").lower() not in self.hosts:
            return 421, "This server answers only to its own address on this machine."
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        origins = headers.getlist("origin")
        if (origins or not reads) and (len(origins) != 1 or origins[0].lower() not in self.origins):
            return 403, "Only the pages of this server may ask this."
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > self.body_bytes:
            return 413, f"At most {self.body_bytes:,} bytes can be sent."
        if not self._rate(scope).take():
            return 429, "Too many requests. Wait a second."
        return None

    def _rate(self, scope: Scope) -> Rate:
        client = (scope.get("client") or ("",))[0]
        rate = self.rates.pop(client, None) or Rate(REQUESTS_PER_S, BURST)
        self.rates[client] = rate
        if len(self.rates) > CLIENTS:
            self.rates.popitem(last=False)
        return rate

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        size, answered = 0, False

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.body_bytes:  # a chunked body tells no length beforehand
                raise TooLarge
            return message

        async def careful(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                extra = [(key.encode(), value.encode()) for key, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        try:
            await self.app(scope, counted, careful)
        except TooLarge:
            if not answered:
                await self._refuse(413, f"At most {self.body_bytes:,} bytes can be sent.", scope, receive, send)

    async def _refuse(self, status: int, reason: str, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()  # the connect message
            await send({"type": "websocket.close", "code": 1008, "reason": reason})
            return
        await JSONResponse({"error": reason}, status, HEADERS)(scope, receive, send)

"""Download a file over http(s): resumable, with a deadline, following redirects to http(s) only."""

import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from pipeline.errors import DataError

if TYPE_CHECKING:
    from requests import Response

Progress = Callable[[str, int, int], None]  # what, bytes done, bytes in all

CONNECT_S = 5.0
READ_S = 10.0  # between two reads
TRIES = 3  # connections for one address: the first, and two that resume
REDIRECTS = 5
CHUNK = 1 << 20


class FetchFailed(Exception):
    """A file could not be fetched from one address; another address may have it."""


class MirrorDown(FetchFailed):
    """A mirror does not respond or is overloaded: its other addresses are not tried."""


class _Interrupted(FetchFailed):
    """A response was cut off; the bytes received stay and can be resumed."""


def is_http(address: str) -> bool:
    return address.lower().startswith(("http://", "https://"))


def redacted(address: str) -> str:
    """An address without user, password and query (which may be a signature), for messages."""
    # Greedy, so that no part of a password with "@", "/" or "?" in it can remain.
    return re.sub(r"[?#].*", "", re.sub(r"://.*@", "://***@", address)) if "://" in address else address


@contextmanager
def writing(path: Path, needed: int) -> Iterator[None]:
    """Turn an OSError in writing (no space, read-only) into a DataError with the path and the bytes needed."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{path}: can't be written ({error.strerror or error}); {needed:,} bytes are needed there. "
            "Make room or choose another folder, then run the same command again."
        ) from error


def remaining_s(ends_at: float) -> float:
    """Seconds until the deadline `ends_at`, a time of `time.monotonic`.

    Raises: MirrorDown once it has passed.
    """
    left_s = ends_at - time.monotonic()
    if left_s <= 0:
        raise MirrorDown("the deadline has passed")
    return left_s


def fetch(address: str, partial: Path, *, limit: int, ends_at: float, progress: Progress) -> bool:
    """Download an address of at most `limit` bytes to `partial`, resuming from the bytes already in it.

    Returns: whether earlier bytes were kept.
    Raises: FetchFailed or MirrorDown, with the bytes received left in `partial`; DataError if it can't be written.
    """
    resumed = False
    for attempt in range(1, TRIES + 1):
        held = partial.stat().st_size if partial.exists() else 0
        try:
            with closing(_open(address, held, ends_at)) as response:
                if response.status_code == 416 and held:
                    return True  # no bytes follow: the caller's digest decides whether the file is complete
                if response.status_code == 206:
                    if not response.headers.get("content-range", "").startswith(f"bytes {held}-"):
                        partial.unlink(missing_ok=True)
                        raise _Interrupted("sends another range than requested")
                    resumed = True
                elif response.status_code == 200:
                    held, resumed = 0, False
                else:
                    raise _unusable(response.status_code)
                _save(response, partial, held, limit, ends_at, progress)
                return resumed
        except _Interrupted:
            if attempt == TRIES:
                raise
    raise AssertionError("the last attempt returns or raises")


def _unusable(status: int) -> FetchFailed:
    # An overloaded or broken mirror gets no further requests for its other files.
    return MirrorDown(f"HTTP {status}") if status >= 500 or status == 429 else FetchFailed(f"HTTP {status}")


def _save(response: "Response", partial: Path, held: int, limit: int, ends_at: float, progress: Progress) -> None:
    length = response.headers.get("content-length", "")
    promised = held + int(length) if length.isdecimal() else 0  # 0: unknown, the body ends with the connection
    if promised > limit:
        raise FetchFailed(f"promises {promised:,} bytes, at most {limit:,} were expected")
    done = held
    with writing(partial, promised or limit), partial.open("ab" if held else "wb") as file:
        for chunk in _body(response, ends_at):
            done += len(chunk)
            if done > limit:
                raise FetchFailed(f"sends more than the {limit:,} bytes expected at most")
            file.write(chunk)
            progress(partial.name, done, promised)
    if done < promised:
        raise _Interrupted(f"broke off after {done:,} of {promised:,} bytes")


def _body(response: "Response", ends_at: float) -> Iterator[bytes]:
    """The undecoded body. `read1` returns what has arrived, so that the deadline also ends a slow response."""
    from urllib3.exceptions import HTTPError

    while True:
        remaining_s(ends_at)
        try:
            chunk = response.raw.read1(CHUNK, decode_content=False)
        except (HTTPError, OSError) as error:
            raise _Interrupted(f"broke off ({type(error).__name__})") from error
        if not chunk:
            return
        yield chunk


def _open(address: str, held: int, ends_at: float) -> "Response":
    """Response to a GET of everything after the first `held` bytes, redirects followed."""
    # A compressed response would count a range in other bytes than those held.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={held}-"} if held else {})
    for _ in range(REDIRECTS + 1):
        response = _respond(address, headers, ends_at)
        if not response.is_redirect:
            return response
        response.close()
        try:
            address = urljoin(address, response.headers["location"])
        except ValueError as error:
            raise FetchFailed(f"redirects to an invalid address ({error})") from error
        if not is_http(address):
            raise FetchFailed(f"redirects to {redacted(address)}, which is not http(s)")
    raise FetchFailed(f"more than {REDIRECTS} redirects")


def _respond(address: str, headers: dict[str, str], ends_at: float) -> "Response":
    import requests

    limit_s = min(CONNECT_S + READ_S, remaining_s(ends_at))
    timeout_s = min(CONNECT_S, limit_s), min(READ_S, limit_s)
    results: queue.SimpleQueue[requests.Response | Exception] = queue.SimpleQueue()
    given_up = threading.Event()

    def request() -> None:
        try:
            response = requests.get(address, headers=headers, timeout=timeout_s, stream=True, allow_redirects=False)
        except Exception as error:  # raised again in the waiting thread
            results.put(error)
            return
        results.put(response)
        if given_up.is_set():
            response.close()

    # DNS look-ups and slow headers ignore the time-outs of requests; a thread can be abandoned.
    threading.Thread(target=request, daemon=True).start()
    try:
        result = results.get(timeout=limit_s)
    except queue.Empty:
        given_up.set()
        raise MirrorDown(f"no response in {limit_s:.0f} s") from None
    if isinstance(result, requests.RequestException):
        raise MirrorDown(f"no response ({type(result).__name__})") from result
    if isinstance(result, Exception):
        raise result
    return result

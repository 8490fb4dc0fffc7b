"""The bytes at an http(s) address, in a file: resumed where it broke off, redirected to http(s) only, by a deadline."""

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


class Refused(Exception):
    """An address did not give its file, and why in a few words; another address may."""


class Down(Refused):
    """A mirror can't be used now: none of its other addresses is worth a try."""


class _Cut(Refused):
    """A body broke off; what came is kept and can be resumed."""


def is_http(address: str) -> bool:
    return address.lower().startswith(("http://", "https://"))


def redacted(address: str) -> str:
    """An address fit for messages: no user, no password, no query (which may be a signature)."""
    # Greedy, so that no part of a password with "@", "/" or "?" in it can remain.
    return re.sub(r"[?#].*", "", re.sub(r"://.*@", "://***@", address)) if "://" in address else address


@contextmanager
def writing(path: Path, needed: int) -> Iterator[None]:
    """Turn what the disk refuses (no space, read-only) into a DataError with the path and the bytes needed."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{path}: can't be written ({error.strerror or error}); {needed:,} bytes are needed there. "
            "Make room or choose another folder, then run the same command again."
        ) from error


def remaining_s(ends_at: float) -> float:
    """Seconds to the deadline, a time of `time.monotonic`.

    Raises: Down once it has passed.
    """
    left_s = ends_at - time.monotonic()
    if left_s <= 0:
        raise Down("the deadline has passed")
    return left_s


def fetch(address: str, partial: Path, *, limit: int, ends_at: float, progress: Progress) -> bool:
    """Complete `partial`, of at most `limit` bytes, from an address; True if older bytes in it were kept.

    Raises: Refused or Down, with the bytes received left in `partial`; DataError if the disk refuses them.
    """
    resumed = False
    for attempt in range(1, TRIES + 1):
        held = partial.stat().st_size if partial.exists() else 0
        try:
            with closing(_open(address, held, ends_at)) as response:
                if response.status_code == 416 and held:
                    return True  # nothing comes after what is held: the caller's digest tells if it is whole
                if response.status_code == 206:
                    if not response.headers.get("content-range", "").startswith(f"bytes {held}-"):
                        partial.unlink(missing_ok=True)
                        raise _Cut("sends another range than asked for")
                    resumed = True
                elif response.status_code == 200:
                    held, resumed = 0, False
                else:
                    raise _unusable(response.status_code)
                _save(response, partial, held, limit, ends_at, progress)
                return resumed
        except _Cut:
            if attempt == TRIES:
                raise
    raise AssertionError("the last attempt returns or raises")


def _unusable(status: int) -> Refused:
    # A mirror that is overloaded or broken is left alone: no sixteen more requests.
    return Down(f"HTTP {status}") if status >= 500 or status == 429 else Refused(f"HTTP {status}")


def _save(response: "Response", partial: Path, held: int, limit: int, ends_at: float, progress: Progress) -> None:
    length = response.headers.get("content-length", "")
    promised = held + int(length) if length.isdecimal() else 0  # 0: the body ends where the connection does
    if promised > limit:
        raise Refused(f"promises {promised:,} bytes, at most {limit:,} were expected")
    done = held
    with writing(partial, promised or limit), partial.open("ab" if held else "wb") as file:
        for chunk in _body(response, ends_at):
            done += len(chunk)
            if done > limit:
                raise Refused(f"sends more than the {limit:,} bytes expected at most")
            file.write(chunk)
            progress(partial.name, done, promised)
    if done < promised:
        raise _Cut(f"broke off after {done:,} of {promised:,} bytes")


def _body(response: "Response", ends_at: float) -> Iterator[bytes]:
    """The body as stored by the server. `read1` hands out what has come, so a dripping server meets the deadline."""
    from urllib3.exceptions import HTTPError

    while True:
        remaining_s(ends_at)
        try:
            chunk = response.raw.read1(CHUNK, decode_content=False)
        except (HTTPError, OSError) as error:
            raise _Cut(f"broke off ({type(error).__name__})") from error
        if not chunk:
            return
        yield chunk


def _open(address: str, held: int, ends_at: float) -> "Response":
    """The answer to a GET of everything after the first `held` bytes, its redirects followed."""
    # Without this a server may compress what it sends, and a range would count other bytes than those held.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={held}-"} if held else {})
    for _ in range(REDIRECTS + 1):
        response = _answer(address, headers, ends_at)
        if not response.is_redirect:
            return response
        response.close()
        try:
            address = urljoin(address, response.headers["location"])
        except ValueError as error:
            raise Refused(f"redirects to no address ({error})") from error
        if not is_http(address):
            raise Refused(f"redirects to {redacted(address)}, which is not http(s)")
    raise Refused(f"more than {REDIRECTS} redirects")


def _answer(address: str, headers: dict[str, str], ends_at: float) -> "Response":
    import requests

    limit_s = min(CONNECT_S + READ_S, remaining_s(ends_at))
    timeout_s = min(CONNECT_S, limit_s), min(READ_S, limit_s)
    answers: queue.SimpleQueue[requests.Response | Exception] = queue.SimpleQueue()
    given_up = threading.Event()

    def ask() -> None:
        try:
            response = requests.get(address, headers=headers, timeout=timeout_s, stream=True, allow_redirects=False)
        except Exception as error:  # crosses to the thread that waits
            answers.put(error)
            return
        answers.put(response)
        if given_up.is_set():
            response.close()

    # Neither a name look-up nor headers that drip obey requests' time-outs; a thread can be left behind.
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=limit_s)
    except queue.Empty:
        given_up.set()
        raise Down(f"no answer in {limit_s:.0f} s") from None
    if isinstance(answer, requests.RequestException):
        raise Down(f"no answer ({type(answer).__name__})") from answer
    if isinstance(answer, Exception):
        raise answer
    return answer

"""Requests that the server refuses: other hosts and origins, large bodies, too many requests, paths."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from pipeline.app.pages import STATIC
from pipeline.app.safety import BURST, RateLimit, Safety
from pipeline.app.server import create_app

PORT = 8000
OURS = f"http://127.0.0.1:{PORT}"


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return TestClient(create_app(tmp_path, PORT), base_url=OURS)


def test_our_own_page_is_answered_with_headers_that_make_browsers_careful(client: TestClient) -> None:
    response = client.get("/playground")
    assert response.status_code == 200
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", f"0.0.0.0:{PORT}", f"*:{PORT}", ""]
)
def test_another_host_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/playground", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_every_name_of_loopback_is_answered(client: TestClient, name: str) -> None:
    assert client.get("/playground", headers={"host": f"{name}:{PORT}"}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://127.0.0.1:1", "https://127.0.0.1:8000"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_another_origin_is_refused(client: TestClient, origin: str, method: str) -> None:
    assert client.request(method, "/playground", headers={"origin": origin}).status_code == 403


def test_what_changes_something_must_say_where_it_comes_from(client: TestClient) -> None:
    assert client.post("/playground/points", content="x").status_code == 403


@pytest.mark.parametrize("headers", [{}, {"origin": "http://evil.example"}])
def test_a_websocket_of_another_page_is_refused(client: TestClient, headers: dict[str, str]) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(f"ws://127.0.0.1:{PORT}/playground/train", headers=headers),
    ):
        pass


@pytest.mark.parametrize("length", ["999999999", "-1", "1e3", "1 000", "abc"])
def test_a_length_that_is_too_large_or_no_number_is_refused(client: TestClient, length: str) -> None:
    response = client.post("/playground", headers={"origin": OURS, "content-length": length})
    assert response.status_code == 413


def test_a_body_without_a_length_is_cut_off_at_the_limit() -> None:
    async def reads_all(scope: Any, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        while (await receive()).get("more_body"):
            pass

    sent: list[dict[str, Any]] = []
    received = 0

    async def receive() -> dict[str, Any]:
        nonlocal received
        received += 1
        return {"type": "http.request", "body": b"x" * 40, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"127.0.0.1:8000"), (b"origin", OURS.encode())]
    scope = {"type": "http", "method": "POST", "headers": headers, "path": "/", "client": ("x", 1)}
    asyncio.run(Safety(reads_all, PORT, body_bytes=100)(scope, receive, send))
    assert sent[0]["status"] == 413
    assert received == 3


@pytest.mark.parametrize("path", ["/photos/predict", "/live/start"])  # read by the page, and by FastAPI
def test_a_chunked_body_that_is_too_large_is_refused_as_one_with_a_length_is(client: TestClient, path: str) -> None:
    headers = {"origin": OURS, "content-type": "application/json"}
    reply = client.post(path, content=(b"x" * 2**20 for _ in range(5)), headers=headers)
    assert (reply.status_code, reply.json()) == (413, {"error": "A request may have at most 4,194,304 bytes."})
    assert "content-security-policy" in reply.headers


def test_too_many_requests_wait_and_do_not_hold_up_another_client() -> None:
    safety = Safety(None, PORT)  # type: ignore[arg-type]
    headers = [(b"host", b"127.0.0.1:8000")]

    def ask(client: str) -> tuple[int, str] | None:
        return safety.refusal({"type": "http", "method": "GET", "headers": headers, "client": (client, 1)})

    refusals = [ask("one") for _ in range(int(BURST) * 10)]
    assert refusals[0] is None
    assert refusals[-1]
    assert refusals[-1][0] == 429
    assert ask("two") is None


def test_a_rate_fills_again_with_time() -> None:
    clock = [0.0]
    rate = RateLimit(2, 3, now=lambda: clock[0])
    assert [rate.take() for _ in range(4)] == [True, True, True, False]
    clock[0] = 0.5
    assert [rate.take(), rate.take()] == [True, False]


@pytest.mark.parametrize(
    "path",
    ["/static/../server.py", "/static/%2e%2e/server.py", "/static//etc/passwd", "/static/..%2f..%2fcli.py", "/static/"],
)
def test_no_path_of_a_request_reaches_the_file_system(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_pages_ask_no_other_host() -> None:
    for file in STATIC.rglob("*"):
        if file.suffix in (".html", ".js", ".css"):
            text = file.read_text().replace("http://www.w3.org", "")  # the name of SVG's namespace is no request
            assert "http://" not in text, file
            assert "https://" not in text.replace("https://playground.tensorflow.org", ""), file


def test_files_of_the_front_end_stay_small() -> None:
    long = [file.name for file in STATIC.rglob("*.*s") if len(file.read_text().splitlines()) > 300]
    assert not long

"""The pages' HTML, and the address at which they are served."""

import http.client
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline.actions.doctor import port_owner
from pipeline.app.server import MODULES, create_app

OURS = "http://127.0.0.1:8000"


@pytest.mark.parametrize("name", MODULES)
def test_every_page_is_served_and_every_page_leads_to_it(name: str, tmp_path: Path) -> None:
    client = TestClient(create_app(tmp_path, 8000), base_url=OURS)
    page = client.get(f"/{name}")
    assert page.status_code == 200
    assert "{{" not in page.text
    for other in MODULES:
        assert f'href="/{other}"' in page.text
    script = client.get(f"/static/pages/{name}.js")
    assert script.headers["content-type"].startswith("text/javascript")
    again = client.get(f"/static/pages/{name}.js", headers={"if-none-match": script.headers["etag"]})
    assert again.status_code == 304


def test_the_bare_address_leads_to_the_first_page(tmp_path: Path) -> None:
    client = TestClient(create_app(tmp_path, 8000), base_url=OURS)
    assert client.get("/", follow_redirects=False).headers["location"] == f"/{MODULES[0]}"


def quickest_request_s(port: int) -> float:
    """The quickest of some requests over a kept connection; a delayed acknowledgement would add 40 ms to each."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    seconds = []
    for _ in range(20):
        started = time.perf_counter()
        connection.request("GET", "/static/app.css")
        connection.getresponse().read()
        seconds.append(time.perf_counter() - started)
    connection.close()
    return min(seconds[1:])


def test_a_taken_port_is_named_with_its_owner_and_the_next_one_is_served_on_loopback_only(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "pipeline", "app", "--no-browser", "--port", str(port)]
        with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout
            line = server.stdout.readline()
            assert f"Port {port} is used by pid " in line
            other = int(line.rsplit(" ", 1)[1].rstrip(".\n"))
            assert f"http://127.0.0.1:{other}/" in server.stdout.readline()
            with urllib.request.urlopen(f"http://127.0.0.1:{other}/", timeout=10) as page:
                assert b"Playground" in page.read()
            assert quickest_request_s(other) < 0.03
            server.terminate()
            server.wait(20)
        assert port_owner(other) is None

"""A real browser without a window, and the pages served by `pipeline app` itself."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
TIMEOUT_S = 300  # the machine may be busy
PROVOKED = ("/playground/points", "/photos/predict")  # requests that tests make to be refused


def find_browser(own: str) -> str | None:
    """The system's Chromium, else the one that playwright has downloaded."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    return found or (own if Path(own).is_file() else None)


@contextmanager
def launched() -> Iterator[Any]:
    """A browser; without one the test is skipped."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=TIMEOUT_S * 1000)
    with sync_playwright() as playwright:
        path = find_browser(playwright.chromium.executable_path)
        if path is None:
            pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed. CONTRIBUTING.md says how to get one.")
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with launched() as running:
        yield running


@contextmanager
def serving(root: Path, port: int = 0) -> Iterator[str]:
    """The address of the pages of a project, at a free port unless one is given."""
    if not port:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    command = [sys.executable, "-m", "pipeline", "app", "--no-browser", "--port", str(port)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            assert f"http://127.0.0.1:{port}" in server.stdout.readline()
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(60)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The pages of an empty project."""
    with serving(tmp_path_factory.mktemp("project")) as found:
        yield found


@pytest.fixture(scope="session")
def trained_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a small model of each kind that has a page."""
    from tests.browser.trained_models import train_all

    return train_all(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="session")
def trained(trained_root: Path) -> Iterator[str]:
    """The pages of the project with trained models."""
    with serving(trained_root) as found:
        yield found


@contextmanager
def opened(browser: Any, **options: Any) -> Iterator[Any]:
    """A page in a context of its own; errors in its scripts and refused requests fail the test.

    Except for refusals that a test provokes: these have a notice on the page.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_S * 1000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("response", lambda reply: errors.append(f"{reply.status} {reply.url}") if reply.status >= 400 else None)
    yield page
    assert not [error for error in errors if "Failed to load" not in error and not error.endswith(PROVOKED)]
    context.close()


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    """One page for all tests of a file: opening another takes long, and each test loads its own address."""
    with opened(browser) as found:
        yield found


def until(page: Any, condition: str) -> Any:
    """The value of a JavaScript expression once it is true; playwright's own wait needs `eval`, which is refused."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (value := page.evaluate(condition)):
        assert time.monotonic() < deadline, f"{condition} did not become true"
        page.wait_for_timeout(50)
    return value

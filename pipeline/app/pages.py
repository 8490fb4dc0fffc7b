"""What a page is, and the shell that all pages wear, read once when the server starts."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter

STATIC = Path(__file__).parent / "static"
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its name in the address, its title, a sentence about it, and the requests it answers."""

    name: str
    title: str
    about: str
    router: APIRouter


@dataclass(frozen=True, slots=True)
class File:
    """What is sent for one address."""

    content: bytes
    kind: str


def files(pages: Sequence[Page]) -> dict[str, File]:
    """Every address of the front end with its content.

    A request looks its address up here: no path that came with a request ever reaches the file system.
    """
    found = {
        f"/static/{path.relative_to(STATIC).as_posix()}": File(path.read_bytes(), KINDS[path.suffix])
        for path in sorted(STATIC.rglob("*"))
        if path.suffix in KINDS
    }
    shell = (STATIC / "shell.html").read_text(encoding="utf-8")
    for page in pages:
        body = (STATIC / f"pages/{page.name}.html").read_text(encoding="utf-8")
        style = f"/static/pages/{page.name}.css"
        parts = {
            "title": html.escape(page.title),
            "about": html.escape(page.about),
            "name": page.name,
            "style": f'<link rel="stylesheet" href="{style}">' if style in found else "",
            "navigation": "\n".join(_link(other, other is page) for other in pages),
            "main": body,
        }
        text = shell
        for key, value in parts.items():
            text = text.replace(f"{{{{{key}}}}}", value)
        found[f"/{page.name}"] = File(text.encode(), "text/html; charset=utf-8")
    return found


def _link(page: Page, current: bool) -> str:
    return f'<a href="/{page.name}"{" aria-current=page" * current}>{html.escape(page.title)}</a>'

"""Pages and their HTML: every file of the front end is read once, when the server starts."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter

STATIC = Path(__file__).parent / "static"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its name in the address, its title, a one-sentence description, and its router."""

    name: str
    title: str
    description: str
    router: APIRouter


@dataclass(frozen=True, slots=True)
class File:
    """The response to a request for one address."""

    content: bytes
    media_type: str


def build_files(pages: Sequence[Page]) -> dict[str, File]:
    """Every address of the front end with its content.

    Requests are looked up in this table: no path of a request reaches the file system.
    """
    files = {
        f"/static/{path.relative_to(STATIC).as_posix()}": File(path.read_bytes(), MEDIA_TYPES[path.suffix])
        for path in sorted(STATIC.rglob("*"))
        if path.suffix in MEDIA_TYPES
    }
    shell = (STATIC / "shell.html").read_text(encoding="utf-8")
    for page in pages:
        style = f"/static/pages/{page.name}.css"
        parts = {
            "title": html.escape(page.title),
            "description": html.escape(page.description),
            "name": page.name,
            "style": f'<link rel="stylesheet" href="{style}">' if style in files else "",
            "navigation": "\n".join(_link(linked, current=linked is page) for linked in pages),
            "main": (STATIC / f"pages/{page.name}.html").read_text(encoding="utf-8"),
        }
        text = shell
        for key, value in parts.items():
            text = text.replace(f"{{{{{key}}}}}", value)
        files[f"/{page.name}"] = File(text.encode(), "text/html; charset=utf-8")
    return files


def _link(page: Page, current: bool) -> str:
    return f'<a href="/{page.name}"{" aria-current=page" * current}>{html.escape(page.title)}</a>'

"""Documents that lie outside docs/: their pages, and links to files outside docs/."""

import os
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = {  # document -> its page below docs/
    "CONTRIBUTING.md": "generated/contributing.md",
    "CHANGELOG.md": "generated/changelog.md",
    "infra/README.md": "generated/infrastructure.md",
}
LINK = re.compile(r"\]\(([^)#\s]+)((?:#[^)]*)?)\)")


def relocate(text: str, source: str, target: str) -> str:
    """Return a document, written for `source`, with the links it needs at `target`; both are relative to the project.

    A link to a document that has a page leads to the page. In GitHub's CI, links to other files outside docs/ lead to
    the repository; elsewhere the site holds copies of these files.
    """

    def link(match: re.Match[str]) -> str:
        if "://" in match[1]:
            return match[0]
        path = os.path.normpath(Path(source).parent / match[1])
        page = f"docs/{PAGES[path]}" if path in PAGES else path
        if not page.startswith("docs/") and (repository := os.environ.get("GITHUB_REPOSITORY")):
            return f"](https://github.com/{repository}/blob/{os.environ['GITHUB_SHA']}/{path}{match[2]})"
        return f"]({os.path.relpath(page, Path(target).parent)}{match[2]})"

    return LINK.sub(link, text)

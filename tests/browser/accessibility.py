"""The accessibility checker axe-core, run in the page of a test."""

from typing import Any

SEVERE = ("serious", "critical")


def severe_violations(page: Any) -> list[str]:
    """The rules of axe that a page breaks severely, each with the first elements that break it."""
    from axe_playwright_python.base import AXE_FILE_PATH

    page.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{rule['id']}: {[node['html'][:100] for node in rule['nodes'][:3]]}"
        for rule in found
        if rule["impact"] in SEVERE
    ]

"""The accessibility checker axe-core, run in the page of a test."""

from itertools import product
from typing import Any

SEVERE = ("serious", "critical")
STATES = tuple(product(("light", "dark"), (1280, 390)))  # theme and width


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


def faults_in_all_states(page: Any) -> list[str]:
    """What axe finds in both themes on a wide screen and a phone, and where a page is wider than the screen."""
    faults = []
    for scheme, width in STATES:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900 if width > 390 else 844})
        page.wait_for_timeout(500)
        faults += [f"{scheme}, {width}: {fault}" for fault in severe_violations(page)]
        needed = page.evaluate("document.documentElement.scrollWidth")
        faults += [f"{scheme}, {width}: the page is {needed} wide"] * (needed > width)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})
    return faults

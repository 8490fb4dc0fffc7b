"""Every page, with all that it opens: axe finds nothing serious, and Tab reaches everything."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from pipeline.app.server import MODULES as PAGES
from tests.browser.accessibility import faults_in_all_states
from tests.browser.conftest import opened

pytestmark = pytest.mark.slow


def open_everything(page: Page, name: str) -> None:
    """Open what a page shows on request."""
    if name == "playground":
        page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
        page.click("#trace")
        expect(page.locator("#steps")).to_be_visible()
        page.click("#starts")
        expect(page.locator("#many-maps canvas")).to_have_count(5)
    if name == "digits":
        page.click("#sample")
        page.wait_for_selector(".answer, .missing")
        if page.locator("#maps input").count():
            page.get_by_label("Map 2 of layer 2", exact=True).check()
            expect(page.locator("#convolution")).to_be_visible()
    if name == "reviews":
        page.wait_for_selector("#answers article")
        if page.locator("[data-memory]").count():
            page.click('[data-memory="imdb_lstm"]')
            expect(page.locator("#memory")).to_be_visible()


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious_on_any_page_with_and_without_models(
    name: str, browser: Any, trained: str, trained_root: Path, address: str
) -> None:
    with opened(browser) as page:
        found = {}
        for where in (trained, address):
            page.goto(f"{where}/{name}")
            page.wait_for_timeout(1500)
            open_everything(page, name)
            if name == "photos":
                page.set_input_files("#file", trained_root / "shapes/disc/3.png")
                page.wait_for_selector(".answer, .missing")
            found[where] = faults_in_all_states(page)
            if name == "playground":
                page.click("#unit-0-0")
                found[f"{where}, dialog"] = faults_in_all_states(page)
        assert not {where: faults for where, faults in found.items() if faults}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_tab_reaches_everything_visibly_on_a_phone(name: str, scheme: str, browser: Any, trained: str) -> None:
    with opened(browser, color_scheme=scheme) as page:
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto(f"{trained}/{name}")
        page.wait_for_timeout(3000)
        open_everything(page, name)
        page.evaluate("document.querySelector('.skip').focus(); window.reached = new Set([document.activeElement])")
        reached: list[str] = []
        wanted = page.evaluate(
            """[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
               .filter((e) => !e.disabled && e.checkVisibility() && e.type !== "file")
               .filter((e) => e.type !== "radio" || e.checked).length"""
        )
        for _ in range(wanted - 1):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                """(() => { const e = document.activeElement, s = getComputedStyle(e);
                    window.reached.add(e);
                    const visible = s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 1;
                    return [e.outerHTML.slice(0, 80), visible || e.type === "file"]; })()"""
            )
            reached.append(focused[0])
            assert focused[1], f"{focused[0]} shows no focus"
        assert page.evaluate("window.reached.size") >= wanted, reached

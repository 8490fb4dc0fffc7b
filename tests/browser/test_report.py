"""The page of the committed results in a browser: it opens, sorts, fits a phone and a dozen sheets of paper."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from pipeline.actions import report
from pipeline.report import claims, markdown, page
from pipeline.runs import results
from tests.browser.accessibility import severe_violations
from tests.browser.conftest import opened

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SHEETS = 12
STATES = [(scheme, width) for scheme in ("light", "dark") for width in (1280, 390)]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of a fresh clone: of the committed results alone."""
    entries = results.committed(ROOT)
    recorded = {name: report.recorded(name, group, ROOT) for name, group in markdown.grouped(entries).items()}
    for each in recorded.values():
        each.errors = None
    path = tmp_path_factory.mktemp("report") / "index.html"
    path.write_text(page.html(entries, claims.table(entries), recorded), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def shown(browser: Any, address: str) -> Iterator[Page]:
    with opened(browser) as page:
        page.goto(address)
        yield page


@pytest.mark.parametrize(("scheme", "width"), STATES)
def test_axe_finds_nothing_serious_and_a_phone_scrolls_down_only(
    scheme: str, width: int, browser: Any, address: str
) -> None:
    with opened(browser, color_scheme=scheme) as page:
        page.set_viewport_size({"width": width, "height": 844})
        page.goto(address)
        for name in ("mnist_cnn", "mnist_gan", "imdb_tfidf", "piglatin_seq2seq"):  # each kind of section
            page.locator(f"#{name} > summary").click()
        page.locator(".claim > summary").first.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert severe_violations(page) == []


def test_a_fresh_clone_lacks_nothing_but_the_samples_which_are_mentioned_once(shown: Page) -> None:
    text = shown.locator("body").text_content() or ""
    assert "Not recorded here" not in text
    assert text.count("samples with the worst errors are not in the repository") == 1
    signs = shown.locator(".claim .sign").all_text_contents()
    assert len(signs) == 7
    assert set(signs) <= {"✓", "±", "✗", "?"}


def test_a_link_opens_its_section_and_a_button_opens_all(shown: Page) -> None:
    section = shown.locator("#mnist_cnn")
    expect(section.locator("svg").first).to_be_hidden()
    shown.locator('tbody a[href="#mnist_cnn"]').click()
    expect(section.locator("svg").first).to_be_in_viewport()
    expect(section).to_contain_text("label smoothing of 0.05")
    shown.get_by_role("button", name="Open all").click()
    assert shown.locator("details.experiment:not([open])").count() == 0
    shown.get_by_role("button", name="Close all").click()
    assert shown.locator("details.experiment[open]").count() == 0


def test_a_click_on_a_column_sorts_the_table_and_another_reverses_it(shown: Page) -> None:
    for column, at in (("CPU-s", 4), ("test", 2)):
        button = shown.locator("th button", has_text=column)
        cells = shown.locator(f"#results ~ .wide tbody td:nth-child({at + 1})")
        for order, reverse in (("ascending", False), ("descending", True)):
            button.click()
            values = [float(value) for value in cells.evaluate_all("all => all.map((cell) => cell.dataset.value)")]
            assert values == sorted(values, reverse=reverse)
            expect(shown.locator("th[aria-sort]")).to_have_attribute("aria-sort", order)


def test_the_last_column_is_reached_on_a_phone_with_the_keyboard(browser: Any, address: str) -> None:
    with opened(browser) as page:
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto(address)
        expect(page.get_by_text("The table scrolls sideways")).to_be_visible()
        table = page.get_by_role("region", name="All experiments")
        table.focus()
        page.keyboard.press("End")
        for _ in range(40):
            page.keyboard.press("ArrowRight")
        page.wait_for_timeout(500)
        assert table.evaluate("(box) => box.scrollLeft + box.clientWidth >= box.scrollWidth - 2")


def test_it_prints_on_a_dozen_sheets(shown: Page) -> None:
    pdf = shown.pdf(format="A4")
    assert 2 <= len(re.findall(rb"/Type /Page\b(?!s)", pdf)) <= SHEETS

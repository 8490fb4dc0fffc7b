"""A small training, started, watched, stopped and resumed in a browser, and opened in MLflow."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from pipeline.runs.events import EventLog
from tests.browser.accessibility import faults_in_all_states
from tests.browser.conftest import serving, until

pytestmark = pytest.mark.slow


@pytest.fixture
def live(tmp_path: Path, page: Page) -> Iterator[Page]:
    with serving(tmp_path) as address:
        page.goto(f"{address}/live")
        yield page


def test_a_training_is_started_stopped_resumed_and_opened_in_mlflow(live: Page, tmp_path: Path) -> None:
    live.select_option("#experiment", "digits_mlp")
    live.fill("#epochs", "30")
    live.click("#go")
    expect(live.locator("#watch")).to_be_visible()
    expect(live.locator("#name")).to_contain_text("digits_mlp-s0-")
    expect(live.locator("#go")).to_be_disabled()
    until(live, "parseFloat(document.querySelector('#share').style.getPropertyValue('--share')) > 0.02")
    expect(live.locator("#state")).to_contain_text("epoch")
    assert inked(live, "#loss") > 200  # a curve, not only a word

    live.click("#stop")
    row = live.locator("#runs tr").first
    expect(row).to_have_attribute("data-status", "interrupted")
    record = tmp_path / "runs" / live.locator("#name").inner_text() / "run.json"
    stopped = json.loads(record.read_text())
    assert stopped["status"] == "interrupted"

    live.click("#resume")
    expect(row).to_have_attribute("data-status", "finished")
    assert live.locator("#runs tr").count() == 1  # the same run
    expect(row).to_contain_text("%")
    until(live, "document.querySelector('#score').getContext('2d') && document.querySelector('#go:not(:disabled)')")
    expect(live.locator("#state")).to_have_text(re.compile(r"finished, epoch 30, step ([\d,]+) of \1$"))
    assert live.locator("#share").evaluate("bar => bar.style.getPropertyValue('--share')") == "1"
    done = json.loads(record.read_text())
    assert (done["name"], done["metrics"]["test/accuracy"] > 0.9) == (stopped["name"], True)

    assert faults_in_all_states(live) == []

    live.click("#mlflow")
    expect(live.locator("#opened")).to_be_visible()
    with live.context.expect_page() as opened:
        live.click("#opened")
    expect(opened.value.get_by_text(done["name"]).first).to_be_visible()


def inked(live: Page, selector: str) -> int:
    """How many pixels of a canvas are not empty."""
    found: int = live.locator(selector).evaluate(
        "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((v, i) => v && i % 4 === 3).length"
    )
    return found


def test_train_it_now_leads_to_the_started_run_and_not_to_an_older_one(live: Page, tmp_path: Path) -> None:
    facts = {"name": "older", "experiment": "mlp_xor", "data": "gate", "status": "finished", "started": 2**40}
    (tmp_path / "runs/older").mkdir(parents=True)
    (tmp_path / "runs/older/run.json").write_text(json.dumps(facts))
    live.goto(live.url.replace("/live", "/piglatin"))
    live.click(".missing button")
    live.wait_for_url("**/live#started")
    expect(live.locator("#name")).to_contain_text("piglatin_seq2seq-s0-")
    assert live.url.endswith("/live")
    live.click("#stop")
    expect(live.locator('#runs tr:not([data-run="older"])')).to_have_attribute("data-status", "interrupted")


def test_the_list_of_runs_is_rebuilt_only_when_it_changes_and_keeps_the_focus(live: Page, tmp_path: Path) -> None:
    def write(status: str) -> None:
        facts = {"name": "mine", "experiment": "mlp_xor", "data": "gate", "status": status, "started": 1}
        (tmp_path / "runs/mine").mkdir(parents=True, exist_ok=True)
        (tmp_path / "runs/mine/run.json").write_text(json.dumps(facts))

    write("finished")
    expect(live.locator("#name")).to_have_text("mine")
    live.focus("#runs button")
    live.evaluate("window.row = document.querySelector('#runs tr')")
    for _ in range(2):
        with live.expect_response("**/live/runs"):
            pass
    assert live.evaluate("row.isConnected && document.activeElement === row.querySelector('button')")
    write("interrupted")
    expect(live.locator("#runs tr")).to_have_attribute("data-status", "interrupted")
    assert live.evaluate("!row.isConnected && document.activeElement.textContent") == "mine"


def test_a_failed_start_is_shown_with_its_error(live: Page, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/mlflow.db").write_text("this is no data base")
    live.select_option("#experiment", "mlp_xor")
    live.click("#go")
    expect(live.locator("#trouble")).to_contain_text("is not an SQLite data base")


def test_a_gans_losses_are_drawn_with_axes(live: Page, tmp_path: Path) -> None:
    facts = {"name": "gan", "experiment": "mnist_gan", "data": "mnist", "status": "finished", "started": 1}
    (tmp_path / "runs/gan").mkdir(parents=True)
    (tmp_path / "runs/gan/run.json").write_text(json.dumps(facts))
    log = EventLog(tmp_path / "runs/gan")
    for epoch in range(3):
        metrics = {"train/generator_loss": 2.0 - epoch / 4, "train/critic_loss": 0.5 + epoch / 8}
        log.append(epoch=epoch, step=100 * epoch, total=200, metrics=metrics)
    live.add_init_script(
        """const fill = CanvasRenderingContext2D.prototype.fillText;
           window.written = [];
           CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
             window.written.push(`${this.canvas.id} ${text}`); return fill.call(this, text, ...rest); };"""
    )
    live.reload()
    until(live, "written?.some((text) => text.includes('generator_loss'))")
    written = set(live.evaluate("written"))
    assert {"score step", "score 100", "score 2"} <= written  # the axes' title and ticks


def test_the_notice_of_a_stopped_server_goes_away_when_it_serves_again(browser: Any, tmp_path: Path) -> None:
    context = browser.new_context()  # its console has the refused connections
    page = context.new_page()
    with serving(tmp_path) as first:
        page.goto(f"{first}/live")
        expect(page.locator("#runs")).to_contain_text("No runs yet")
    expect(page.locator("#notice")).to_contain_text("The server does not respond")
    with serving(tmp_path, int(first.rsplit(":", 1)[1])):
        expect(page.locator("#notice")).to_be_hidden()
    context.close()

"""Frames and epochs a second of the Playground in a real browser: `python -m benchmarks.playground`.

The page runs in headless Chromium without a GPU, at its normal speed (at most 90 epochs a second) and as fast as it
can. Frames and epochs are counted by the page's clock. Writes benchmarks/results/playground.json.

To measure the pages of another commit, name its checkout: `PYTHONPATH=CHECKOUT python -m benchmarks.playground`.
"""

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS, ROOT
from pipeline.training import cpu
from tests.browser.conftest import find_browser, opened, serving, until

SETTINGS = {"defaults": "", "batch size 1": "#batch=1", "fast": "#speed=fast"}
BARS = {"pictures_per_s": 30, "epochs_per_s": 60}
WARM_S = 2.0
COUNTS = "[performance.now(), playground.frames, playground.epoch]"


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(prog="python -m benchmarks.playground")
    parser.add_argument("--times", type=int, default=5, help="measurements of each setting")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    arguments = parser.parse_args()
    measured: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(playwright.chromium.executable_path), args=["--no-sandbox"]
        )
        for name, state in SETTINGS.items():
            rates = [rate(browser, f"{address}/playground{state}", arguments.seconds) for _ in range(arguments.times)]
            measured[name] = {
                key: {"median": round(statistics.median(each), 1), "min": round(min(each), 1), "all": each}
                for key, each in zip(BARS, zip(*rates, strict=True), strict=True)
            }
            summary = ", ".join(
                f"{key} {value['median']} (min {value['min']})" for key, value in measured[name].items()
            )
            print(f"{name:14} {summary}", flush=True)
        chromium = browser.version
        browser.close()
    save("playground", {"bars": BARS, "seconds": arguments.seconds, "chromium": chromium, "measured": measured})


def save(name: str, content: dict[str, Any]) -> None:
    """Write results with the machine and its load."""
    path = RESULTS / f"{name}.json"
    machine = {"machine": cpu.describe(), "load": round(os.getloadavg()[0], 2)}
    path.write_text(json.dumps({**machine, **content}, indent=1) + "\n")
    print(path.relative_to(ROOT))


def rate(browser: Any, address: str, seconds: float) -> tuple[float, float]:
    """Frames and epochs a second."""
    with opened(browser) as page:
        page.goto(address)
        until(page, "window.playground?.frames > 0")
        page.click("#run")
        page.wait_for_timeout(WARM_S * 1000)
        before = page.evaluate(COUNTS)
        page.wait_for_timeout(seconds * 1000)
        after = page.evaluate(COUNTS)
        passed = (after[0] - before[0]) / 1000
        return round((after[1] - before[1]) / passed, 1), round((after[2] - before[2]) / passed, 1)


if __name__ == "__main__":
    main()

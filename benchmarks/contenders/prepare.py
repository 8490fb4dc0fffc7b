"""IMDB's raw archive to arrays, as the first run on a machine does it; `PIPELINE_DATA_MIRROR` holds the archive."""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.contenders.common import report


def main() -> None:
    from pipeline.config import build_data, load_config, resolve
    from pipeline.data import store

    mirror = os.environ["PIPELINE_DATA_MIRROR"]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        began = time.perf_counter()
        store.pull("imdb", root / "data", cache_dir=root / ".cache", mirror=mirror, progress=lambda *_: None)
        pulled = time.perf_counter()
        data: Any = build_data(resolve(load_config("data=imdb", "model=lstm")), root / "data")
        data.setup()
        report(pull_s=pulled - began, arrays_s=time.perf_counter() - pulled)


if __name__ == "__main__":
    main()

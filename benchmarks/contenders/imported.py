"""A command of the pipeline, then the size of what it imported: files of modules and libraries, but for byte code."""

import re
import sys
from contextlib import suppress
from pathlib import Path

from benchmarks.contenders.common import report


def files() -> set[Path]:
    """The files of all modules, and all that are mapped into memory from a folder of packages."""
    modules = {Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}
    mapped = re.findall(r"(/\S*site-packages/\S+)$", Path("/proc/self/maps").read_text(), re.MULTILINE)
    return {
        file for file in modules | {Path(file) for file in mapped} if "site-packages" in file.parts and file.is_file()
    }


def main() -> None:
    from pipeline.cli import main as run

    with suppress(SystemExit):
        run()
    found = files()
    report(disk_mb=sum(512 * file.stat().st_blocks for file in found) / 1e6, files=len(found))


if __name__ == "__main__":
    sys.argv[0] = "pipeline"
    main()

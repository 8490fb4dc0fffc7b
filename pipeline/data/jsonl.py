"""JSON Lines files, read with a limit on the length of a line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import DataError

LINE_BYTES = 1 << 20  # largest line of a JSON Lines file


def damaged(path: Path, expected: str, got: str) -> DataError:
    return DataError(f"{path}: expected {expected}, got {got}. Run `pipeline data pull` again.")


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """The objects in a JSON Lines file, one at a time. Only "\\n" ends a line: reviews hold other breaks.

    Raises: DataError with path and line if a line is not a JSON object in UTF-8, or longer than 1 MiB.
    """
    line_number = 0
    try:
        with path.open("rb") as file:
            while line := file.readline(LINE_BYTES + 1):
                line_number += 1
                row = json.loads(line.decode()) if len(line) <= LINE_BYTES else None
                if not isinstance(row, dict):
                    raise ValueError(f"a line of {len(line):,} bytes that is not an object")
                yield row
    except (OSError, ValueError, RecursionError) as error:
        where = Path(f"{path}:{line_number}")
        raise damaged(where, "a JSON object", f"{type(error).__name__} ({error})") from error

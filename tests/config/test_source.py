"""A module's file is found only if it is ours."""

import pytest

from pipeline.config.source import PACKAGE, file_of


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("pipeline.data.texts.text_data", "data/texts/text_data.py"),
        ("pipeline.report", "report/__init__.py"),
        ("pipeline.errors.ConfigError", None),
        ("torch.nn", None),  # beside an installed package stand all others
    ],
)
def test_a_modules_file_is_found_only_if_it_is_ours(module: str, file: str | None) -> None:
    assert file_of(module) == (PACKAGE / file if file else None)

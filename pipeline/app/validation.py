"""Validation errors of pydantic as one plain sentence: field, what was found, what is expected."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

SHOWN = 40  # characters of the value that was found
EXPECTED = {
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "finite_number": "a finite number",
    "literal_error": "one of {expected}",
    "missing": "a value",
    "extra_forbidden": "no such field",
    "string_unicode": "valid Unicode text",
    "string_too_long": "at most {max_length} characters",
    "too_long": "at most {max_length} entries",
    "too_short": "at least {min_length} entries",
    "json_invalid": "JSON",
}
TYPES = {
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
}


def describe(errors: Sequence["ErrorDetails"]) -> str:
    """The first of pydantic's errors as a sentence; a value in it is shortened and always valid Unicode."""
    error = errors[0]
    field = ".".join(str(part) for part in error["loc"] if part not in ("body", "query"))
    if error["type"] == "value_error":
        sentence = str(error["ctx"]["error"]) if "ctx" in error else error["msg"].removeprefix("Value error, ")
        return f"{field}: {sentence}.".removeprefix(": ")
    expected = TYPES.get(error["type"]) or EXPECTED.get(error["type"], "another value").format_map(error.get("ctx", {}))
    where = field if error["type"] != "json_invalid" and field else "The request"
    return f"{where}: expected {expected}, got {_shown(error.get('input'))}. Correct it and try again."


def _shown(value: object) -> str:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = type(value).__name__
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} …"

"""Redaction of secrets before anything is written: passwords in addresses, values under secret-like keys."""

import re

_NAMES = r"(?:token|secret|password|passwd|passphrase|credentials?|signature|sig|(?:api|access|private)_?key)"
SECRET_KEY = re.compile(rf"(?:.*[_.-])?{_NAMES}", re.IGNORECASE)  # `max_tokens` is not one
_ASSIGNED = re.compile(rf"(?<![a-z0-9])({_NAMES}=)[^\s'\"&]+", re.IGNORECASE)
HIDDEN = "***"


def redact(text: str) -> str:
    """The text without the user and password of any URL in it, and without the value in any `…token=value`."""
    # Greedy, so that no part of a password with "@" or "/" in it can remain.
    return _ASSIGNED.sub(rf"\1{HIDDEN}", re.sub(r"://\S+@", f"://{HIDDEN}@", text))


def redact_tree(node: object, key: str = "") -> object:
    """Plain data with its texts redacted, and with no value under a secret-like key."""
    if isinstance(node, dict):
        return {name: redact_tree(value, str(name)) for name, value in node.items()}
    if isinstance(node, list):
        return [redact_tree(value, key) for value in node]
    if node is not None and SECRET_KEY.fullmatch(key):
        return HIDDEN
    return redact(node) if isinstance(node, str) else node

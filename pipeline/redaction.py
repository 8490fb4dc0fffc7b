"""What must not be written down: passwords in addresses, and whatever a key's name calls a secret."""

import re
from typing import Any

SECRET = re.compile(r"token|secret|passw|credential|signature|api_?key|private_?key", re.IGNORECASE)
HIDDEN = "***"


def redact(text: str) -> str:
    """The text without the user and password of any URL in it, and without the value of any `secret-like key=value`."""
    # Greedy, so that no part of a password with "@" or "/" in it can remain.
    text = re.sub(r"://\S+@", f"://{HIDDEN}@", text)
    return re.sub(rf"([\w.+]*(?:{SECRET.pattern})[\w.]*=)[^\s'\"&]+", rf"\1{HIDDEN}", text, flags=re.IGNORECASE)


def redact_tree(node: Any, key: str = "") -> Any:
    """Plain data with its texts redacted, and with no value under a secret-like key."""
    if isinstance(node, dict):
        return {name: redact_tree(value, str(name)) for name, value in node.items()}
    if isinstance(node, list):
        return [redact_tree(value, key) for value in node]
    if node is not None and SECRET.search(key):
        return HIDDEN
    return redact(node) if isinstance(node, str) else node

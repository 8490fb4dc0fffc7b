"""Reference page of the HTTP API, generated from the schema that a served model publishes."""

from dataclasses import dataclass, field
from typing import Any

from pipeline.config import load_config, resolve
from pipeline.launch import http_api
from pipeline.types import Prediction

HEAD = """# HTTP API

`pipeline serve RUN` serves a model on this machine. Generated from the schema, which a server has at `/openapi.json`.

```
pipeline serve imdb_tfidf
curl http://127.0.0.1:8000/health
curl http://127.0.0.1:8000/predict -H 'content-type: application/json' -d '{"texts": ["A film to remember."]}'
```

"""
KINDS = {
    "images": "classifiers of images",
    "texts": "classifiers of texts",
    "sentences": "translators",
    "points": "nets of two numbers, such as logic gates",
    "classes": "conditional generators",
}
LIMITS = {"minItems": "at least {}", "maxItems": "at most {}", "maxLength": "at most {:,} characters"}


@dataclass
class Model:
    """What the API asks of a predictor: the type of its inputs, its labels and its identity."""

    input_type: str
    config: dict[str, Any] = field(default_factory=lambda: {"name": "NAME", "seed": 0, "data": {"in_shape": [2]}})
    manifest: dict[str, Any] = field(default_factory=lambda: {"files": {"model.safetensors": "0" * 64}})
    labels: tuple[str, ...] = ("0", "1")


def page() -> str:
    """Return the page in Markdown."""
    rows = []
    for kind, models in KINDS.items():
        [(name, array)] = schema(kind)["components"]["schemas"]["Request"]["properties"].items()
        rows.append(f"| `{name}` | {models} | {_limits(array)} | {_item(array['items'])} |")
    api = schema("texts")
    routes = "\n".join(
        f"## {method.upper()} {path}\n\n{_responses(api, operation)}"
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    )
    table = "\n".join(["| key | of | list | item |", "| --- | --- | --- | --- |", *rows])
    return (
        f"{HEAD}{routes}\n## Inputs\n\nA request to `/predict` holds one list, named by the type of its inputs.\n"
        f"A body has at most {http_api.MAX_BODY_BYTES // 2**20} MiB.\n\n{table}\n"
    )


def schema(kind: str) -> dict[str, Any]:
    """Return the OpenAPI schema of a served model that takes inputs of a type."""

    async def predict(inputs: list[Any]) -> list[Prediction]:
        return []

    model: Any = Model(kind)
    if kind == "images":  # which are read as the model's data set reads them
        model.config["data"] = resolve(load_config("model=cnn", "data=mnist"))["data"]
    return http_api.create(model, predict).openapi()


def _responses(api: dict[str, Any], operation: dict[str, Any]) -> str:
    """Return the fields of the response, those of a prediction included."""
    name = _reference(operation["responses"]["200"]["content"]["application/json"]["schema"])
    lines = ["| field of the response | type |", "| --- | --- |"]
    for key, value in api["components"]["schemas"][name]["properties"].items():
        inner = _reference(value.get("items", {}))
        lines.append(f"| `{key}` | {_type(value)} |")
        if inner:
            parts = api["components"]["schemas"][inner]["properties"]
            lines += [f"| `{key}[].{part}` | {_type(part_schema)} |" for part, part_schema in parts.items()]
    return "\n".join(lines) + "\n"


def _reference(value: dict[str, Any]) -> str:
    return str(value.get("$ref", "")).rpartition("/")[2]


def _type(value: dict[str, Any]) -> str:
    options = [_type(option) for option in value.get("anyOf", []) if option.get("type") != "null"]
    if options:
        return f"{' or '.join(options)}, where the model has it"
    if value.get("type") == "array":
        return f"list of {_reference(value['items']) or _type(value['items'])}"
    if value.get("type") == "object":
        return f"object of {_type(value['additionalProperties'])} by name"
    return f"`{value['const']}`" if "const" in value else str(value.get("type", ""))


def _limits(array: dict[str, Any]) -> str:
    return ", ".join(LIMITS[key].format(array[key]) for key in ("minItems", "maxItems") if key in array)


def _item(item: dict[str, Any]) -> str:
    words = [str(item["description"]).rstrip(".")] if "description" in item else [_type(item)]
    words += [LIMITS[key].format(item[key]) for key in ("minItems", "maxLength") if key in item]
    return ", ".join(words + (["one of the model's labels"] if "enum" in item else []))

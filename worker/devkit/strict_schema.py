"""OpenAI's strict subset of JSON Schema: what a schema must be for structured outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from worker.devkit.http_exchange import Json

Path = tuple[str, ...]

REFUSED_KEYWORDS: Final = (
    "oneOf",
    "allOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
)


def objection(schema: Any) -> str | None:
    """What OpenAI has against a schema that is to be strict, in its words; None where it takes it."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        kind = schema.get("type") if isinstance(schema, dict) else None
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."
    if "anyOf" in schema:
        return "In context=(), 'anyOf' is not permitted."
    try:
        return next(_objections(schema, ()), None)
    except (AttributeError, TypeError):
        return "schema is not a valid JSON Schema."


def _objections(schema: Any, path: Path) -> Iterator[str]:
    here = f"In context={path!r}, "
    if not isinstance(schema, dict):
        yield f"{here}schema must be an object."
        return
    yield from (f"{here}'{keyword}' is not permitted." for keyword in REFUSED_KEYWORDS if keyword in schema)
    if not schema.keys() & {"type", "anyOf", "$ref"}:
        yield f"{here}schema must have a 'type' key."
    if "object" in types(schema):
        yield from (f"{here}{reason}" for reason in _object_objections(schema))
    for step, inner in _inner(schema):
        yield from _objections(inner, path + step)


def _object_objections(schema: Json) -> Iterator[str]:
    if schema.get("additionalProperties") is not False:
        yield "'additionalProperties' is required to be supplied and to be false."
    properties, required = schema.get("properties") or {}, schema.get("required")
    listed = required if isinstance(required, list) else []
    supplied = "'required' is required to be supplied and to be an array including every key in properties."
    yield from (f"{supplied} Missing '{name}'." for name in properties if name not in listed)
    yield from (f"{supplied} Extra required key '{name}' supplied." for name in listed if name not in properties)


def _inner(schema: Json) -> Iterator[tuple[Path, Any]]:
    """The schemas in a schema, each with the steps that lead to it."""
    for keyword in ("properties", "$defs", "definitions"):
        yield from (((keyword, name), inner) for name, inner in (schema.get(keyword) or {}).items())
    if "items" in schema:
        yield ("items",), schema["items"]
    yield from ((("anyOf", str(n)), inner) for n, inner in enumerate(schema.get("anyOf") or ()))


def types(schema: Json) -> list[str]:
    """The types a schema names: none, one or several. Gemini's own schemas write them in capitals."""
    named = schema.get("type", [])
    return [str(each).lower() for each in (named if isinstance(named, list) else [named])]

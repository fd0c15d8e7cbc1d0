"""JSON Schema as the providers use it: OpenAI's strict subset, and values made to conform as structured outputs do."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

Json = dict[str, Any]

#: Keywords that are no part of the strict subset.
REFUSED_KEYWORDS: Final = (
    *("oneOf", "allOf", "not", "if", "then", "else"),
    *("dependentRequired", "dependentSchemas", "patternProperties"),
)
#: References in a row that are followed.
REFERENCES_MAX: Final = 20
#: Empty value of each type.
_EMPTY: Final[Mapping[str, Any]] = {
    "string": "",
    "integer": 0,
    "number": 0,
    "boolean": False,
    "array": [],
    "object": {},
    "null": None,
}


class Misfit(Exception):
    """Value that a schema has no place for."""


def objection(schema: Any) -> str | None:
    """Returns what OpenAI has against a schema that is to be strict, in its words; None where it takes it."""
    kind = schema.get("type") if isinstance(schema, dict) else None
    if kind != "object":
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."
    if "anyOf" in schema:
        return "In context=(), 'anyOf' is not permitted."
    try:
        return next((f"In context={path!r}, {reason}" for path, reason in _objections(schema, ())), None)
    except (AttributeError, TypeError):
        return "schema is not a valid JSON Schema."


def _objections(schema: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if not isinstance(schema, dict):
        yield path, "schema must be an object."
        return
    yield from ((path, f"'{keyword}' is not permitted.") for keyword in REFUSED_KEYWORDS if keyword in schema)
    if not schema.keys() & {"type", "anyOf", "$ref"}:
        yield path, "schema must have a 'type' key."
    if "object" in _types(schema):
        yield from ((path, reason) for reason in _object_objections(schema))
    for keyword in ("properties", "$defs", "definitions"):
        for name, inner in (schema.get(keyword) or {}).items():
            yield from _objections(inner, (*path, keyword, name))
    if "items" in schema:
        yield from _objections(schema["items"], (*path, "items"))
    for index, inner in enumerate(schema.get("anyOf") or ()):
        yield from _objections(inner, (*path, "anyOf", str(index)))


def _object_objections(schema: Json) -> Iterator[str]:
    if schema.get("additionalProperties") is not False:
        yield "'additionalProperties' is required to be supplied and to be false."
    properties, required = schema.get("properties") or {}, schema.get("required")
    listed = required if isinstance(required, list) else []
    supplied = "'required' is required to be supplied and to be an array including every key in properties."
    yield from (f"{supplied} Missing '{name}'." for name in properties if name not in listed)
    yield from (f"{supplied} Extra required key '{name}' supplied." for name in listed if name not in properties)


def conformed(value: Any, schema: Json) -> Any:
    """Makes a value conform: properties it lacks, or has otherwise, become null or empty, and those too many go.

    An item of a list must fit in all it has: another product than the customer's helps nobody.

    Raises:
        AttributeError, KeyError, RecursionError, TypeError: the schema is none.
    """
    return _Conformer(schema).made_to_fit(value, schema, strict=False)


class _Conformer:
    """Fits values into the parts of one schema. strict: as they are, or a Misfit."""

    def __init__(self, root: Json) -> None:
        self._root = root

    def fit(self, value: Any, schema: Json, *, strict: bool) -> Any:
        schema = self._resolved(schema)
        if "anyOf" in schema:
            return _first(self._fitting((value, branch) for branch in schema["anyOf"]))
        if "enum" in schema or "const" in schema:  # an id may be a number here and a text there
            return _first(each for each in (value, str(value)) if each in _values(schema))
        value = self._typed(value, schema)
        if isinstance(value, dict):
            return self._object(value, schema, strict=strict)
        if isinstance(value, list):
            return list(self._fitting((each, schema.get("items", {})) for each in value))[: schema.get("maxItems")]
        if isinstance(value, str):
            return value[: schema.get("maxLength")]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return min(max(value, schema.get("minimum", value)), schema.get("maximum", value))
        return value

    def made_to_fit(self, value: Any, schema: Json, *, strict: bool) -> Any:
        """Fits a value; what does not fit becomes the emptiest one, or null alone where it is strict."""
        try:
            return self.fit(value, schema, strict=strict)
        except Misfit:
            if strict and not self._nullable(schema):
                raise
            return self.least(schema)

    def least(self, schema: Json) -> Any:
        """Returns the emptiest value that a schema allows."""
        schema = self._resolved(schema)
        if self._nullable(schema):
            return None
        if "anyOf" in schema:
            return self.least(schema["anyOf"][0])
        if "enum" in schema or "const" in schema:
            return _values(schema)[-1]
        kind = next(iter(_types(schema)), "object")
        return self._object({}, schema, strict=True) if kind == "object" else schema.get("minimum", _EMPTY[kind])

    def _fitting(self, pairs: Iterable[tuple[Any, Json]]) -> Iterator[Any]:
        """Yields the values that fit in their schemas as they are."""
        for value, schema in pairs:
            with suppress(Misfit):
                yield self.fit(value, schema, strict=True)

    def _object(self, value: Json, schema: Json, *, strict: bool) -> Json:
        properties, required = schema.get("properties") or {}, schema.get("required", [])
        if not properties and schema.get("additionalProperties") is not False:
            return value
        fitted = {}
        for name, inner in properties.items():
            if name in value:
                fitted[name] = self.made_to_fit(value[name], inner, strict=strict)
            elif name in required:
                fitted[name] = self.least(inner)
        return fitted

    def _typed(self, value: Any, schema: Json) -> Any:
        """Returns the value in a type of the schema: itself, a number as a text, an open object as a list of pairs."""
        kinds = _types(schema)
        if not kinds or any(_is(value, kind) for kind in kinds):
            return value
        if isinstance(value, dict) and "array" in kinds:
            return _pairs(value, self._resolved(schema.get("items", {})))
        if _is(value, "number") and "string" in kinds:
            return str(value)
        raise Misfit

    def _nullable(self, schema: Json) -> bool:
        schema = self._resolved(schema)
        return "null" in _types(schema) or any(self._nullable(each) for each in schema.get("anyOf", ()))

    def _resolved(self, schema: Json) -> Json:
        """Follows references within the whole schema. Raises TypeError where they go in a circle."""
        for _ in range(REFERENCES_MAX):
            if "$ref" not in schema:
                return schema
            target: Any = self._root
            for step in filter(None, schema["$ref"].removeprefix("#").split("/")):
                target = target[step]
            schema = target
        raise TypeError("$ref")


def _first(values: Iterator[Any]) -> Any:
    for value in values:
        return value
    raise Misfit


def _types(schema: Json) -> list[str]:
    """Lists the types that a schema names: none, one or several; Gemini's own schemas write them in capitals."""
    named = schema.get("type", [])
    return [str(each).lower() for each in (named if isinstance(named, list) else [named])]


def _is(value: Any, kind: str) -> bool:
    types = (int, float) if kind == "number" else type(_EMPTY[kind])
    return isinstance(value, types) and (kind == "boolean" or not isinstance(value, bool))


def _values(schema: Json) -> list[Any]:
    return list(schema.get("enum", [schema.get("const")]))


def _pairs(value: Json, item: Json) -> list[Json]:
    """Turns an open object into a list of pairs, for schemas that cannot have one: name first, value second."""
    if len(item.get("properties") or {}) != 2:
        raise Misfit
    key, content = item["properties"]
    as_text = _types(item["properties"][content]) == ["string"]
    return [{key: name, content: str(each) if as_text else each} for name, each in value.items()]

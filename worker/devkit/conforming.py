"""Values bent until they conform to a JSON Schema, as structured outputs do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from worker.devkit.http_exchange import Json
from worker.devkit.strict_schema import types

#: References in a row that are followed.
REFERENCES_MAX: Final = 20
_EMPTY: Final[Mapping[str, Any]] = {
    "string": "",
    "integer": 0,
    "number": 0,
    "boolean": False,
    "array": [],
    "object": {},
    "null": None,
}
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a schema a value is to fit: the whole schema, and whether it must fit as it is, without stand-ins."""

    root: Json
    strict: bool = False


class _Misfit(Exception):
    """A value that a schema has no place for."""


def conformed(value: Any, schema: Json) -> Any:
    """The value with what the schema wants: properties it lacks, or has otherwise, are null or empty, and those too
    many are left out. An item of a list must fit in all it has: another product than the customer's helps nobody.
    """
    try:
        return _fit(value, schema, _Place(schema))
    except _Misfit:
        return _least(schema, _Place(schema))


def _fit(value: Any, schema: Json, place: _Place) -> Any:
    schema = _resolved(schema, place)
    if "anyOf" in schema:
        return _fit_any(value, schema["anyOf"], place)
    if "enum" in schema or "const" in schema:
        return _one_of(value, schema.get("enum", [schema.get("const")]))
    value = _typed(value, schema, place)
    if isinstance(value, dict):
        return _fit_object(value, schema, place)
    if isinstance(value, list):
        return list(_fit_items(value, schema, place))[: schema.get("maxItems")]
    return _within(value, schema)


def _one_of(value: Any, allowed: list[Any]) -> Any:
    for each in (value, str(value)):  # an id may be a number here and a text there
        if each in allowed:
            return each
    raise _Misfit


def _typed(value: Any, schema: Json, place: _Place) -> Any:
    """The value in a type of the schema: itself, a number as a text, an open object as a list of pairs."""
    kinds = types(schema)
    if not kinds or any(_is(value, kind) for kind in kinds):
        return value
    if isinstance(value, dict) and "array" in kinds:
        return _pairs(value, _resolved(schema.get("items", {}), place))
    if isinstance(value, int | float) and not isinstance(value, bool) and "string" in kinds:
        return str(value)
    raise _Misfit


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _fit_any(value: Any, branches: list[Json], place: _Place) -> Any:
    for branch in branches:
        try:
            return _fit(value, branch, replace(place, strict=True))
        except _Misfit:
            continue
    raise _Misfit


def _fit_object(value: Json, schema: Json, place: _Place) -> Json:
    properties = schema.get("properties") or {}
    if not properties and schema.get("additionalProperties") is not False:
        return value
    required = schema.get("required", [])
    wanted = {name: inner for name, inner in properties.items() if name in value or name in required}
    return {name: _fit_property(value, name, inner, place) for name, inner in wanted.items()}


def _fit_property(value: Json, name: str, schema: Json, place: _Place) -> Any:
    """The property as the schema wants it; the least there is where it is absent or, outside of lists, otherwise."""
    if name not in value:
        return _least(schema, place)
    try:
        return _fit(value[name], schema, place)
    except _Misfit:
        if place.strict and not _nullable(schema, place):
            raise
        return _least(schema, place)


def _fit_items(values: list[Any], schema: Json, place: _Place) -> Iterator[Any]:
    for value in values:
        try:
            yield _fit(value, schema.get("items", {}), replace(place, strict=True))
        except _Misfit:
            continue


def _pairs(value: Json, item: Json) -> list[Json]:
    """An open object as a list of pairs, for schemas that cannot have open objects: the first property of an item is
    the name, the second the value.
    """
    if len(item.get("properties") or {}) != 2:
        raise _Misfit
    key, content = item["properties"]
    as_text = types(item["properties"][content]) == ["string"]
    return [{key: name, content: str(each) if as_text else each} for name, each in value.items()]


def _within(value: Any, schema: Json) -> Any:
    if isinstance(value, str):
        return value[: schema.get("maxLength")]
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        return min(max(value, low), high)
    return value


def _nullable(schema: Json, place: _Place) -> bool:
    schema = _resolved(schema, place)
    return "null" in types(schema) or any(_nullable(each, place) for each in schema.get("anyOf", ()))


def _least(schema: Json, place: _Place) -> Any:
    """The emptiest value a schema allows."""
    schema = _resolved(schema, place)
    if _nullable(schema, place):
        return None
    if "anyOf" in schema:
        return _least(schema["anyOf"][0], place)
    if "enum" in schema or "const" in schema:
        return schema.get("enum", [schema.get("const")])[-1]
    kind = next(iter(types(schema)), "object")
    if kind != "object":
        return schema.get("minimum", _EMPTY[kind])
    properties, required = schema.get("properties") or {}, schema.get("required", [])
    return {name: _least(inner, place) for name, inner in properties.items() if name in required}


def _resolved(schema: Json, place: _Place) -> Json:
    """The schema that a reference within the whole schema points to. Raises TypeError where it goes in a circle."""
    for _ in range(REFERENCES_MAX):
        if "$ref" not in schema:
            return schema
        target: Any = place.root
        for step in filter(None, schema["$ref"].removeprefix("#").split("/")):
            target = target[step]
        schema = target
    raise TypeError("$ref")

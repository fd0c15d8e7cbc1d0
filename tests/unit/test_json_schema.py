"""Values bent to a schema, as structured outputs are."""

from __future__ import annotations

from typing import Any

import pytest

from worker.devkit.json_schema import conformed

TEXT = {"type": "string"}
NULLABLE = {"type": ["string", "null"]}


def closed(**properties: Any) -> dict[str, Any]:
    """An object of these properties and no others, all required."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


OPERATION = closed(op={"type": "string", "enum": ["add", "set"]}, product_id={"type": "integer", "enum": [1, 2]})
LIST = closed(cart={"type": "array", "items": OPERATION, "maxItems": 2})
BRANCHES = {"anyOf": [closed(op={"const": "clear"}), closed(op={"const": "set"}, quantity={"type": "integer"})]}


@pytest.mark.parametrize(
    ("value", "schema", "expected"),
    [
        ({"a": "x"}, closed(a=TEXT), {"a": "x"}),
        ({"a": "x", "b": 1}, closed(a=TEXT), {"a": "x"}),
        ({}, closed(a=TEXT, b=NULLABLE, c={"type": "boolean"}), {"a": "", "b": None, "c": False}),
        ({}, closed(a={"type": "array", "items": TEXT}, b=closed(c=TEXT)), {"a": [], "b": {"c": ""}}),
        ({}, {"type": "object", "properties": {"a": TEXT}, "required": []}, {}),
        ({"b": 1, "a": "x"}, closed(a=TEXT, b={"type": "integer"}), {"a": "x", "b": 1}),
        ({"a": "other"}, closed(a={"type": "string", "enum": ["x", "unknown"]}), {"a": "unknown"}),
        ({"a": "other"}, closed(a={"type": ["string", "null"], "enum": ["x", None]}), {"a": None}),
        ({"a": "x"}, closed(a={"anyOf": [{"type": "null"}, TEXT]}), {"a": "x"}),
        ({"a": None}, closed(a={"anyOf": [TEXT, {"type": "null"}]}), {"a": None}),
        ({"a": 3}, closed(a=TEXT), {"a": "3"}),
        ({"a": True}, closed(a={"type": "integer"}), {"a": 0}),
        ({"a": 120}, closed(a={"type": "integer", "minimum": 1, "maximum": 99}), {"a": 99}),
        ({"a": "largo"}, closed(a={"type": "string", "maxLength": 3}), {"a": "lar"}),
        ({"a": {"k": 1}}, closed(a={"type": "object"}), {"a": {"k": 1}}),
        (
            {"a": {"k": 1, "l": "m"}},
            closed(a={"type": "array", "items": closed(name=TEXT, value=TEXT)}),
            {"a": [{"name": "k", "value": "1"}, {"name": "l", "value": "m"}]},
        ),
        (
            {"cart": [{"op": "add", "product_id": 9}, {"op": "add", "product_id": 1, "note": "x"}]},
            LIST,
            {"cart": [{"op": "add", "product_id": 1}]},
        ),
        ({"cart": [{"op": "set", "product_id": 2}] * 3}, LIST, {"cart": [{"op": "set", "product_id": 2}] * 2}),
        (
            {"list": [{"op": "set", "quantity": 2}, {"op": "clear"}, {"op": "eat"}]},
            closed(list={"type": "array", "items": BRANCHES}),
            {"list": [{"op": "set", "quantity": 2}, {"op": "clear"}]},
        ),
        (
            {"a": {"b": "x", "c": 1}},
            closed(a={"$ref": "#/$defs/A"}) | {"$defs": {"A": closed(b=TEXT)}},
            {"a": {"b": "x"}},
        ),
        ({"a": "x"}, {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}, {"a": "x"}),
        ("text", closed(a=TEXT), {"a": ""}),
    ],
)
def test_conforms(value: Any, schema: dict[str, Any], expected: Any) -> None:
    """What is absent, too much, of another type or not allowed is made good, or left out of its list."""
    fitted = conformed(value, schema)
    assert fitted == expected
    if isinstance(fitted, dict) and schema.get("required"):
        assert list(fitted) == list(schema["properties"])

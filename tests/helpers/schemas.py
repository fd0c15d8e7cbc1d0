"""Random values that a JSON schema allows: the parts of JSON Schema that language models' grammars know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

Schema = Mapping[str, Any]
#: Where a schema names no bound: a model may go on for long, but not for ever.
MOST_CHARS, MOST_ITEMS, MOST_NUMBER = 60, 5, 10**6
#: Once in so many texts a long one, longer than WhatsApp takes.
LONG_ONE_IN, LONG_CHARS = 100, 6_000
#: What breaks readers of text: signs of JSON, NUL, lone surrogates, marks of direction, pictures, spaces.
NASTY = ("\0", "\ud800", "\u202e", "😀", '"', "\\", "{", "}", "```", "\n", "\u2028", " ", "%s", "'; drop table", "é")
KNOWN = frozenset(
    """
    $ref $defs const enum anyOf oneOf type properties required additionalProperties items minItems maxItems minLength
    maxLength minimum maximum title description default
    """.split()  # noqa: SIM905  a list of words reads best as words
)


def allowed_by(schema: Schema, random: Random, root: Schema | None = None) -> Any:
    """A value that fits the schema. root: where `$ref` leads from, the schema itself if not given.

    Raises ValueError for a keyword that is not known here: a silent gap would test less than its reader believes.
    """
    top = schema if root is None else root
    if unknown := schema.keys() - KNOWN:
        raise ValueError(f"not known here: {', '.join(sorted(unknown))}")
    if "$ref" in schema:
        return allowed_by(_at(top, schema["$ref"]), random, top)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return random.choice(schema["enum"])
    if several := schema.get("anyOf") or schema.get("oneOf"):
        return allowed_by(random.choice(several), random, top)
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return KINDS[random.choice(kinds)](schema, random, top)


def _at(root: Schema, reference: str) -> Schema:
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def _text(schema: Schema, random: Random, _root: Schema) -> str:
    least = schema.get("minLength", 0)
    usual = LONG_CHARS if random.randrange(LONG_ONE_IN) == 0 else MOST_CHARS
    length = random.randint(least, max(least, min(schema.get("maxLength", usual), usual)))
    signs = random.choice(("aeiou lnrstmd.,¿?¡! ", "0123456789.,$ ", NASTY, [chr(n) for n in range(32, 0x2FF)]))
    return "".join(random.choices(signs, k=length))[: max(length, least)]


def _integer(schema: Schema, random: Random, _root: Schema) -> int:
    return random.randint(schema.get("minimum", -MOST_NUMBER), schema.get("maximum", MOST_NUMBER))


def _number(schema: Schema, random: Random, _root: Schema) -> float:
    least, most = schema.get("minimum", -MOST_NUMBER), schema.get("maximum", MOST_NUMBER)
    return random.choice((least, most, random.uniform(least, most)))


def _array(schema: Schema, random: Random, root: Schema) -> list[Any]:
    least = schema.get("minItems", 0)
    length = random.randint(least, max(least, schema.get("maxItems", MOST_ITEMS)))
    return [allowed_by(schema["items"], random, root) for _ in range(length)]


def _object(schema: Schema, random: Random, root: Schema) -> dict[str, Any]:
    """With all that is required, and of the rest now and then something; nothing that it does not name."""
    properties, required = schema.get("properties", {}), schema.get("required", ())
    named = [name for name in properties if name in required or random.random() < 0.5]
    return {name: allowed_by(properties[name], random, root) for name in named}


KINDS: Mapping[str, Callable[[Schema, Random, Schema], Any]] = {
    "string": _text,
    "integer": _integer,
    "number": _number,
    "boolean": lambda _schema, random, _root: random.random() < 0.5,
    "null": lambda _schema, _random, _root: None,
    "array": _array,
    "object": _object,
}

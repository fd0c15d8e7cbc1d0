"""Random values that a JSON schema allows: the parts of JSON Schema that language models' grammars know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Schema = Mapping[str, Any]
#: Where a schema names no bound; a model may go on for long, but not for ever.
MOST_CHARS, MOST_ITEMS, MOST_NUMBER = 200, 5, 10**6
#: What breaks readers of text: signs of JSON, NUL, lone surrogates, marks of direction, pictures, spaces.
NASTY = ("\0", "\ud800", "\u202e", "😀", '"', "\\", "{", "}", "```", "\n", "\u2028", " ", "%s", "'; drop table", "é")


def allowed_by(schema: Schema, root: Schema | None = None) -> SearchStrategy[Any]:
    """Values that fit the schema. root: where `$ref` leads from, the schema itself if not given.

    Raises ValueError for a keyword that changes what is allowed and is not known here: a silent gap would test less
    than its reader believes.
    """
    top = schema if root is None else root
    _refuse_unknown(schema)
    if "$ref" in schema:
        return allowed_by(_at(top, schema["$ref"]), top)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return st.one_of([allowed_by(one, top) for one in schema[several]])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([KINDS[kind](schema, top) for kind in kinds])


KNOWN = frozenset(
    """
    $ref $defs $schema const enum anyOf oneOf type properties required additionalProperties items minItems maxItems
    minLength maxLength minimum maximum title description default strict
    """.split()  # noqa: SIM905  a list of words reads best as words
)


def _refuse_unknown(schema: Schema) -> None:
    if unknown := schema.keys() - KNOWN:
        raise ValueError(f"not known here: {', '.join(sorted(unknown))}")


def _at(root: Schema, reference: str) -> Schema:
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def _texts(schema: Schema, _root: Schema) -> SearchStrategy[Any]:
    least, most = schema.get("minLength", 0), schema.get("maxLength", MOST_CHARS)
    signs = st.characters(codec=None) | st.sampled_from("aeiou lnrs.,$0123456789¿?¡!\n")
    plain = st.text(signs, min_size=least, max_size=min(most, max(least, MOST_CHARS)))
    nasty = st.lists(st.sampled_from(NASTY), max_size=12).map("".join).filter(lambda text: least <= len(text) <= most)
    return plain | nasty | st.sampled_from([least, most]).map(lambda length: "a" * length)


def _integers(schema: Schema, _root: Schema) -> SearchStrategy[Any]:
    return st.integers(schema.get("minimum", -MOST_NUMBER), schema.get("maximum", MOST_NUMBER))


def _numbers(schema: Schema, _root: Schema) -> SearchStrategy[Any]:
    return st.floats(schema.get("minimum", -MOST_NUMBER), schema.get("maximum", MOST_NUMBER), allow_nan=False)


def _arrays(schema: Schema, root: Schema) -> SearchStrategy[Any]:
    items = allowed_by(schema["items"], root) if schema.get("items") else st.none()
    least = schema.get("minItems", 0)
    return st.lists(items, min_size=least, max_size=schema.get("maxItems", max(least, MOST_ITEMS)))


def _objects(schema: Schema, root: Schema) -> SearchStrategy[Any]:
    fields = {name: allowed_by(one, root) for name, one in schema.get("properties", {}).items()}
    wanted = {name: fields[name] for name in schema.get("required", ())}
    known = st.fixed_dictionaries(wanted, optional={name: fields[name] for name in fields.keys() - wanted.keys()})
    others = schema.get("additionalProperties", True)
    if others is False:
        return known
    values = allowed_by(others, root) if isinstance(others, Mapping) else _anything()
    return st.builds(lambda more, own: {**more, **own}, st.dictionaries(st.text(max_size=8), values, max_size=3), known)


def _anything() -> SearchStrategy[Any]:
    return st.none() | st.booleans() | st.integers() | st.text(max_size=8)


KINDS: Mapping[str, Callable[[Schema, Schema], SearchStrategy[Any]]] = {
    "string": _texts,
    "integer": _integers,
    "number": _numbers,
    "boolean": lambda _schema, _root: st.booleans(),
    "null": lambda _schema, _root: st.none(),
    "array": _arrays,
    "object": _objects,
}

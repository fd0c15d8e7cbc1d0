"""Whatever comes in: no exception, nothing PostgreSQL would refuse, nobody's number in a reason."""

from __future__ import annotations

import copy
import json
from typing import Any

import orjson
from helpers.inbound_bodies import ACCOUNT, ITEM, NOW_S, only, plain, webhook, whatsapp
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import to_builtins

from worker.messages.inbound import parse_payload
from worker.messages.message import Parsed

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FULL_BODY = webhook(
    whatsapp(timestamp="1763800000"),
    whatsapp(type="interactive", interactive={"type": "list_reply", "list_reply": {"id": "x", "title": "t"}}),
    whatsapp(type="button", button={"text": "t", "payload": "p"}),
    whatsapp(type="order", order={"text": "t", "product_items": [ITEM]}),
    whatsapp(type="image", image={"caption": "c"}),
    whatsapp(type="contacts", contacts=[{}]),
    whatsapp(type="system", system={"user_id": "US.1"}),
    whatsapp(type="unsupported", unsupported={"type": "edit"}, from_user_id="US.1"),
    contacts=[{"wa_id": "5491122334455", "user_id": "US.1", "profile": {"name": "Ana"}}],
)


def paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside `node`."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(deeper for key, child in children for deeper in paths(child, (*path, key)))]


def check(payload: bytes | str) -> Parsed:
    """What holds for every payload whatever: no exception, all of it JSON for PostgreSQL, all within its limits."""
    parsed = parse_payload(payload, NOW_S)
    stored = orjson.dumps(to_builtins(parsed.messages))
    assert b"\\u0000" not in stored
    orjson.dumps(parsed.rejections)
    assert all(parsed.rejections)
    for message in parsed.messages:
        assert 0 < len(message.message_id) <= 512
        assert message.customer_phone
        assert message.text is None or (message.text.strip() and len(message.text) <= 4096)
    return parsed


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=300) | st.text(st.characters(codec=None), max_size=200))
def test_no_bytes_raise(payload: bytes | str) -> None:
    """Random bytes and strings give a rejection."""
    assert check(payload).rejections


@settings(max_examples=300, deadline=None, derandomize=True)
@given(JSON_VALUES)
def test_no_structure_raises(body: object) -> None:
    """Random JSON (NaN and lone surrogates included) gives a rejection."""
    assert check(json.dumps(body)).rejections
    check(json.dumps({"object": ACCOUNT, "entry": body}))


@settings(max_examples=600, deadline=None, derandomize=True)
@given(st.data())
def test_no_mutated_body_raises(data: st.DataObject) -> None:
    """Any two values of a full webhook body or of a plain message may turn into anything or vanish."""
    body = copy.deepcopy(data.draw(st.sampled_from([FULL_BODY, plain(name="Ana", timestamp=1)])))
    for _ in range(2):
        *parents, last = data.draw(st.sampled_from([path for path in paths(body) if path]))
        target = body
        for key in parents:
            target = target[key]
        if data.draw(st.booleans()):
            target[last] = data.draw(JSON_VALUES)
        else:
            del target[last]
    text = json.dumps(body)
    check(text)
    assert not any("54911" in rejection or "hola" in rejection for rejection in check(text.encode()).rejections)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.text(st.characters(codec=None), min_size=1, max_size=40))
def test_every_text_arrives_mended(text: str) -> None:
    """However a text is escaped, what arrives is the text with U+FFFD where PostgreSQL would refuse it."""
    mended = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\x00", "\ufffd")
    for payload in (json.dumps(plain(text=text)), json.dumps(plain(text=text)).encode()):
        assert only(parse_payload(payload, NOW_S)).text == (mended if mended.strip() else None)

"""What a gateway may send, and what becomes of it: messages, reasons, never an exception."""

from __future__ import annotations

import json

import orjson
import pytest
from helpers.inbound_bodies import ACCOUNT, NOW_S, only, parse, plain, reason, webhook, whatsapp

from worker.messages.inbound import MAX_DEPTH, MAX_PAYLOAD_BYTES, parse_payload
from worker.messages.message import Parsed


def test_every_message_of_every_entry_and_change_is_taken() -> None:
    """Two entries with two changes of two messages each give eight messages, in their order."""
    body = webhook()
    body["entry"] = [
        {
            "changes": [
                {"field": "messages", "value": {"messages": [whatsapp(id=f"{e}{c}{m}") for m in range(2)]}}
                for c in range(2)
            ]
        }
        for e in range(2)
    ]
    ids = [message.message_id for message in parse(body).messages]
    assert ids == [f"{e}{c}{m}" for e in range(2) for c in range(2) for m in range(2)]


def test_a_bad_message_costs_only_itself() -> None:
    """The good ones are taken in order, and each bad one leaves one reason with its path."""
    good = [whatsapp(id="1"), whatsapp(id="2")]
    parsed = parse(webhook(good[0], whatsapp(**{"from": ...}), 7, whatsapp(text={"body": 5}), good[1]))
    assert [message.message_id for message in parsed.messages] == ["1", "2"]
    assert parsed.rejections == (
        "entry[0].changes[0].value.messages[1]: 'from' is missing",
        "entry[0].changes[0].value.messages[2] is not an object",
        "entry[0].changes[0].value.messages[3]: 'text.body' is not a string",
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"object": ACCOUNT}, "'entry' is missing"),
        ({"object": ACCOUNT, "entry": {}}, "'entry' is not a list"),
        ({"object": ACCOUNT, "entry": ["x"]}, "entry[0] is not an object"),
        ({"object": ACCOUNT, "entry": [{}]}, "'entry[0].changes' is missing"),
        ({"object": ACCOUNT, "entry": [{"changes": 1}]}, "'entry[0].changes' is not a list"),
        ({"object": ACCOUNT, "entry": [{"changes": [None]}]}, "entry[0].changes[0] is not an object"),
        ({"object": ACCOUNT, "entry": [{"changes": [{}]}]}, "entry[0].changes[0]: 'field' is missing"),
        ({"object": ACCOUNT, "entry": [{"changes": [{"field": []}]}]}, "entry[0].changes[0]: 'field' is not a string"),
        (
            {"object": ACCOUNT, "entry": [{"changes": [{"field": "messages"}]}]},
            "entry[0].changes[0]: 'value' is missing",
        ),
        (
            {"object": ACCOUNT, "entry": [{"changes": [{"field": "messages", "value": []}]}]},
            "entry[0].changes[0]: 'value' is not an object",
        ),
        (
            {"object": ACCOUNT, "entry": [{"changes": [{"field": "messages", "value": {"messages": {}}}]}]},
            "'entry[0].changes[0].value.messages' is not a list",
        ),
    ],
)
def test_a_wrong_envelope_is_rejected_with_its_path(body: object, expected: str) -> None:
    """A wrong type at any level is a reason that says where."""
    assert reason(parse(body)) == expected


def test_a_wrong_part_does_not_hide_what_follows() -> None:
    """Messages behind a bad entry or change are taken, and each bad part has its reason."""
    body = webhook(whatsapp())
    good_change = body["entry"][0]["changes"][0]
    body["entry"] = [1, {"changes": [{}, 2, {"field": "messages"}, good_change]}]
    parsed = parse(body)
    assert [message.text for message in parsed.messages] == ["hola"]
    assert len(parsed.rejections) == 4


def test_messages_under_another_field_are_not_ours() -> None:
    """Echoes of what the shop wrote come under their own field and are passed over."""
    assert parse(webhook(whatsapp(), field="smb_message_echoes")) == Parsed()


def test_unknown_fields_are_ignored_everywhere() -> None:
    """Whatever Meta adds, at any level, changes nothing."""
    body = webhook(whatsapp(new={"a": [1]}, context={"forwarded": True}))
    body["new"] = body["entry"][0]["new"] = body["entry"][0]["changes"][0]["new"] = {"from": 1}
    assert parse(body) == parse(webhook(whatsapp()))
    assert only(parse(plain(new=[1], entry={}, object="page"))).text == "hola"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", "not JSON"),
        (b"hola", "not JSON"),
        (b'{"message_id":"a"', "not JSON"),
        (b'{"message_id":"a"}\n{}', "not JSON"),
        (b"\xff\xfe{}", "not UTF-8 (byte 0)"),
        (b'{"text":"\xed\xa0\x80"}', "not UTF-8 (byte 9)"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"text":"a\x00b"}', "not JSON"),
        (b'{"timestamp":NaN}', "not JSON"),
        (b'{"timestamp":-Infinity}', "not JSON"),
        (b'{"timestamp":1e999}', "not JSON"),
        (b'{"timestamp":' + b"9" * 5000 + b"}", "not JSON"),
        (b"[" * 60_000, "not JSON"),
        (b"[]", "not an object"),
        (b'"hola"', "not an object"),
        (b"null", "not an object"),
        (b"{}", "neither a webhook body"),
        (b'{"object":"page","entry":[]}', "neither a webhook body"),
        (b'{"object":["whatsapp_business_account"]}', "neither a webhook body"),
    ],
)
def test_what_is_no_body_is_rejected_once(payload: bytes, expected: str) -> None:
    """Garbage, the wrong encoding, numbers JSON does not have and other objects: one reason each."""
    assert expected in reason(parse_payload(payload, NOW_S))


def test_the_size_limit_counts_bytes() -> None:
    """64 KiB to the byte is taken, one more is not, and an ñ counts twice."""
    body = orjson.dumps(plain(pad=""))
    room = MAX_PAYLOAD_BYTES - len(body)
    fits = body.replace(b'"pad":""', b'"pad":"' + b"x" * room + b'"')
    assert only(parse_payload(fits, NOW_S)).text == "hola"
    assert only(parse_payload(fits.decode(), NOW_S)).text == "hola"
    assert "more than 65536" in reason(parse_payload(fits + b" ", NOW_S))
    assert "more than 65536" in reason(parse_payload(fits.decode().replace("x", "ñ", 1), NOW_S))


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_is_limited(opening: str, closing: str) -> None:
    """A field nested to the limit is ignored like any other; one level more is refused."""
    text = json.dumps(plain(deep="?"))
    for depth, taken in ((MAX_DEPTH - 1, True), (MAX_DEPTH, False), (900, False)):
        parsed = parse_payload(text.replace('"?"', opening * depth + "0" + closing * depth), NOW_S)
        assert bool(parsed.messages) is taken
        assert taken or "deeper than 32" in reason(parsed)


def test_many_brackets_are_not_depth() -> None:
    """A wide body and a text full of brackets are as flat as any other."""
    assert only(parse(plain(wide=[[]] * 100, text="[" * 100))).text == "[" * 100


@pytest.mark.parametrize(
    ("escaped", "expected"),
    [
        (r"a\u0000b", "a\ufffdb"),
        (r"a\ud800b", "a\ufffdb"),
        (r"a\uDC00b", "a\ufffdb"),
        (r"\ud800\u0041", "\ufffdA"),
        (r"\ud83d\ud83d\ude00", "\ufffd😀"),
        (r"\ud83d\ude00", "😀"),
        (r"\ude00\ud83d", "\ufffd\ufffd"),
        (r"\\ud800 \\u0000", r"\ud800 \u0000"),
        (r"\\\ud800", "\\\ufffd"),
        (r"\u00f1\n\"", 'ñ\n"'),
    ],
)
def test_nul_and_lone_surrogates_become_the_replacement_character(escaped: str, expected: str) -> None:
    """Escapes of what PostgreSQL refuses are mended; pairs, escaped backslashes and other escapes stay."""
    payload = json.dumps(plain(text="?", message_id="?")).replace("?", escaped)
    for form in (payload, payload.encode()):
        message = only(parse_payload(form, NOW_S))
        assert (message.text, message.message_id) == (expected, expected)


def test_a_string_payload_with_raw_surrogates_is_mended_too() -> None:
    """A Python string can hold halves of a character: two that belong together are joined, a lone one is replaced."""
    payload = json.dumps(plain(text="?")).replace("?", "\ud83d\ude00 a\ud800b")
    assert only(parse_payload(payload, NOW_S)).text == "😀 a\ufffdb"

"""The outbound contract to the letter, and nothing WhatsApp would refuse."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import to_builtins
from msgspec.structs import fields, replace

from worker.messages.reply import REPLY_WINDOW_S, Choices, QuickReply, Reply, Row, expires_at, within_limits
from worker.messages.text import clip, mend

REPLY = Reply(
    reply_id="r-1",
    to="5491122334455",
    in_reply_to=("wamid.A", "wamid.B"),
    text="¡Hola Ana! ¿Qué te llevo?",
    quick_replies=(QuickReply("view_cart", "Ver carrito"),),
    intent="greeting",
    confidence=0.93,
    requires_human=False,
    session_state="browsing",
    source="ai",
    provider="deepseek",
    created_at=datetime(2026, 11, 22, 9, tzinfo=UTC),
    expires_at=datetime(2026, 11, 23, 9, tzinfo=UTC),
)
ANY_TEXT = st.text(st.characters(codec=None), max_size=60)


def sent(reply: Reply) -> dict[str, Any]:
    """The reply as JSON, as the commit and the outbound stream have it."""
    return dict(json.loads(orjson.dumps(to_builtins(reply))))


def test_what_is_sent_is_the_contract() -> None:
    """Every field of the outbound contract, with its name, type and form."""
    assert sent(REPLY) == {
        "reply_id": "r-1",
        "to": "5491122334455",
        "in_reply_to": ["wamid.A", "wamid.B"],
        "text": "¡Hola Ana! ¿Qué te llevo?",
        "quick_replies": [{"id": "view_cart", "title": "Ver carrito"}],
        "intent": "greeting",
        "confidence": 0.93,
        "requires_human": False,
        "session_state": "browsing",
        "source": "ai",
        "provider": "deepseek",
        "created_at": "2026-11-22T09:00:00Z",
        "expires_at": "2026-11-23T09:00:00Z",
        "list": None,
        "channel": None,
    }


def test_what_is_sent_has_every_field() -> None:
    """A field added to the reply cannot be forgotten on its way out."""
    assert list(sent(REPLY)) == [field.encode_name for field in fields(Reply)]


def test_a_reply_no_provider_made_says_null() -> None:
    """`provider` is there and null for a canned reply."""
    assert sent(replace(REPLY, provider=None))["provider"] is None


def test_times_are_utc_in_whole_seconds() -> None:
    """PostgreSQL hands out other zones and microseconds; the contract knows neither."""
    elsewhere = datetime(2026, 11, 22, 6, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=-3)))
    assert sent(within_limits(replace(REPLY, created_at=elsewhere)))["created_at"] == "2026-11-22T09:00:00Z"


def test_the_window_closes_24_hours_after_the_customer_wrote() -> None:
    """`expires_at` is an aware time in UTC, a day after the customer's last message."""
    closes = expires_at(1_763_800_000)
    assert closes.timestamp() == 1_763_800_000 + 86_400 == 1_763_800_000 + REPLY_WINDOW_S
    assert closes.utcoffset() == timedelta(0)


def test_a_reply_within_the_limits_is_left_alone() -> None:
    """Texts, titles and ids at exactly their limits stay as they are."""
    full = replace(REPLY, text="x" * 1024, quick_replies=tuple(QuickReply(f"{n}" * 256, f"{n}" * 20) for n in range(3)))
    assert within_limits(full) == full
    rows = tuple(Row(f"{n}" * 200, f"{n}" * 24, "y" * 72) for n in range(10))
    listed = replace(full, quick_replies=(), choices=Choices("z" * 20, rows))
    assert within_limits(listed) == listed
    alone = replace(REPLY, text="x" * 4096, quick_replies=())
    assert within_limits(alone) == alone
    assert within_limits(REPLY) == REPLY


def test_what_is_too_long_is_clipped() -> None:
    """Text to 4,096 characters, or 1,024 above buttons; titles to 20, ids to 256, buttons to 3."""
    buttons = tuple(QuickReply(f"{n}" * 257, f"{n} agregar al carrito de compras") for n in range(5))
    clipped = within_limits(replace(REPLY, text="hola " * 1000, quick_replies=buttons))
    assert clipped.text == "hola " * 203 + "hola…"
    assert len(clipped.text) <= 1024
    assert within_limits(replace(REPLY, text="hola " * 1000, quick_replies=())).text == "hola " * 818 + "hola…"
    assert clipped.quick_replies == tuple(QuickReply(f"{n}" * 256, f"{n} agregar al…") for n in range(3))


def test_a_list_is_clipped_and_has_no_buttons_beside_it() -> None:
    """Ten rows with ids of their own, each with a title; without any there is no list, and the buttons stay."""
    rows = [Row(f"{n} " + "i" * 300, f"{n} " + "t" * 30, f"{n} " + "d" * 90) for n in range(12)]
    blank = [Row("", "x"), Row("x", " "), rows[0]]
    made = within_limits(replace(REPLY, text="x" * 2000, choices=Choices("Ver todas las opciones", (*blank, *rows))))
    assert made.choices is not None
    assert (made.quick_replies, len(made.text), made.choices.button) == ((), 1024, "Ver todas las…")
    assert [row.id[:2] for row in made.choices.rows] == [f"{n} " for n in range(10)]
    lengths = {(len(row.id), len(row.title), len(row.description)) for row in made.choices.rows}
    assert all(one <= most for found in lengths for one, most in zip(found, (200, 24, 72), strict=True))
    none = within_limits(replace(REPLY, choices=Choices("Ver", tuple(blank[:2]))))
    assert (none.choices, none.quick_replies) == (None, REPLY.quick_replies)


def test_buttons_whatsapp_would_refuse_are_left_out() -> None:
    """Blank ones and repeated ids or titles go; those behind them move up."""
    given_buttons = [("", "Sin id"), ("b", "  "), ("c", "Ver"), ("c", "Otra"), ("d", "Ver"), (" e ", " Pagar ")]
    kept = within_limits(replace(REPLY, quick_replies=tuple(QuickReply(*button) for button in given_buttons)))
    assert kept.quick_replies == (QuickReply("c", "Ver"), QuickReply("e", "Pagar"))


def test_nothing_json_or_postgresql_refuse_goes_out() -> None:
    """NUL and lone surrogates are replaced in the text and on the buttons."""
    mended = within_limits(
        replace(REPLY, text="a\x00\ud800", quick_replies=(QuickReply("b\x00\udc00", "c\ud800\x00"),))
    )
    assert mended.text == "a\ufffd\ufffd"
    assert mended.quick_replies == (QuickReply("b\ufffd\ufffd", "c\ufffd\ufffd"),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ver el carrito", "Ver el carrito"),
        ("Ver el carrito lleno", "Ver el carrito lleno"),
        ("Ver el carrito lleno ya", "Ver el carrito…"),
        ("Agregar al carrito de compras", "Agregar al carrito…"),
        ("Agregar al carrit de compras", "Agregar al carrit…"),
        ("Agregar al\ncarritocompras", "Agregar al…"),
        ("Supermercadísimamente", "Supermercadísimamen…"),
        ("El supermercadísimamente", "El supermercadísima…"),
        (" " * 30, "…"),
        ("  Supermercadísimamente", "  Supermercadísimam…"),
    ],
)
def test_clip_cuts_between_words_where_it_can(text: str, expected: str) -> None:
    """A word is cut only where dropping it would drop most of the text."""
    assert clip(text, 20) == expected


@settings(max_examples=100, deadline=None, derandomize=True)
@given(ANY_TEXT, st.integers(2, 60))
def test_clip_keeps_its_promise(text: str, max_chars: int) -> None:
    """Never longer than allowed, unchanged where it fits, and otherwise the beginning of the text."""
    clipped = clip(text, max_chars)
    assert len(clipped) <= max_chars
    if len(text) <= max_chars:
        assert clipped == text
    else:
        assert clipped.endswith("…")
        assert text.startswith(clipped[:-1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x00b", "a\ufffdb"),
        ("a\ud800b", "a\ufffdb"),
        ("\ud83d\ude00", "😀"),
        ("\udc00\ud83d", "\ufffd" * 2),
        ("ñ", "ñ"),
    ],
)
def test_mend(text: str, expected: str) -> None:
    """NUL and lone surrogates are replaced, pairs joined, all else stays."""
    assert mend(text) == expected


@settings(max_examples=100, deadline=None, derandomize=True)
@given(ANY_TEXT, st.lists(st.builds(QuickReply, ANY_TEXT, ANY_TEXT), max_size=6))
def test_whatever_a_model_writes_becomes_json(text: str, buttons: list[QuickReply]) -> None:
    """A reply made of any strings goes out as JSON within the limits, without NUL, with unique buttons."""
    reply = sent(within_limits(replace(REPLY, text=text, quick_replies=tuple(buttons))))
    assert "\x00" not in reply["text"]
    assert len(reply["quick_replies"]) <= 3
    for part, limit in (("id", 256), ("title", 20)):
        values = [button[part] for button in reply["quick_replies"]]
        assert all(0 < len(value) <= limit for value in values)
        assert len(set(values)) == len(values)

"""A turn as it travels between tasks: as JSON, between versions."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from helpers.turns import (
    MILK,
    MILK_ITEM,
    RICE,
    decided,
    message,
    planned,
    session_of,
    turn_from_dict,
    turn_of,
    turn_to_dict,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from worker.session.outcome import Outcome
from worker.session.session import Context, session_from_row
from worker.session.turn import Turn
from worker.session.turn_message import TurnMessage
from worker.telemetry.recording import metrics_row

CONTEXTS = st.builds(Context, shown=st.lists(st.text(), max_size=3).map(tuple), asking=st.text())
COMPLETE = replace(
    planned(turn_of("tenes leche?", session=session_of(cart=(MILK_ITEM,), context={"shown": ["LAC-7"]})), MILK, RICE),
    outcome=replace(decided(entities={"a": 1}), calls=2, cost_microusd=77, provider_latency_ms=120),
    committed=True,
)
#: The same as it travels.
LIGHT = replace(COMPLETE, plan=replace(COMPLETE.planned(), system="", user=""))
CLAIMED: dict[str, Any] = {
    "token": "t",
    "customer_phone": "5491100000001",
    "customer_name": None,
    "swept": True,
    "session_version": None,
    "catalog_version": 5,
    "messages": [
        {
            "id": 1,
            "message_id": "wamid.1",
            "sent_at_s": 1,
            "attempts": 2,
            "type": "audio",
            "text": None,
            "selection_id": None,
        }
    ],
}


def travelled(turn: Turn) -> Turn:
    """The turn after a journey through JSON."""
    return turn_from_dict(orjson.loads(orjson.dumps(turn_to_dict(turn))))


@pytest.mark.parametrize("turn", [turn_of(session=None, session_cache=None), turn_of(), LIGHT], ids=lambda _: "")
def test_a_journey_changes_nothing(turn: Turn) -> None:
    """As claimed, with a session, and with everything."""
    assert travelled(turn) == turn


def test_a_turn_as_the_database_claims_it() -> None:
    """Has no session, plan or outcome yet."""
    turn = turn_from_dict(CLAIMED)
    assert turn.messages == (TurnMessage(1, "wamid.1", 1, 2, "audio", None, None),)
    assert (turn.session, turn.plan, turn.outcome, turn.session_cache, turn.committed) == (
        None,
        None,
        None,
        None,
        False,
    )
    assert (turn.swept, turn.session_version) == (True, None)


def test_names_of_a_newer_version_are_ignored() -> None:
    """At every level, so that two versions can work side by side while one replaces the other."""
    data = turn_to_dict(COMPLETE)
    for part in (data, data["messages"][0], data["session"], data["plan"], data["outcome"]):
        part["of_tomorrow"] = 1
    assert turn_from_dict(data) == LIGHT


def test_an_answered_turn_leaves_its_request_behind() -> None:
    """Thousands of characters that no later step looks at; all else goes on."""
    asked = replace(COMPLETE, outcome=None)
    assert travelled(asked).planned().user == COMPLETE.planned().user != ""
    assert (LIGHT.planned().system, LIGHT.planned().user) == ("", "")
    assert travelled(COMPLETE) == LIGHT
    assert LIGHT.planned().key == COMPLETE.planned().key


def test_names_an_older_version_did_not_have_get_their_defaults() -> None:
    """An outcome of before costs were counted."""
    data = turn_to_dict(COMPLETE) | {"outcome": {"source": "ai", "decision": {}}}
    assert turn_from_dict(data).decided() == Outcome("ai")


def test_the_travelling_form_of_a_session_is_the_cached_one() -> None:
    """One form of a session everywhere, with numbers that the version before reads."""
    travelling, cached = turn_to_dict(COMPLETE)["session"], COMPLETE.fetched().row()
    assert session_from_row(travelling) == session_from_row(cached) == COMPLETE.fetched()
    assert travelling["cart_data"] == cached["cart_data"]


def test_what_can_be_read() -> None:
    """A line per readable message; a mark stands for the others in the transcript."""
    turn = turn_of(messages=(message("hola", 1), message(None, 2, type="audio"), message("tenes leche?", 3)))
    assert turn.text == "hola\ntenes leche?"
    assert turn.transcript({}) == "hola\n[audio]\ntenes leche?"
    assert not turn.readable
    assert turn_of("hola").readable
    assert turn_of(None).text == ""


def test_what_is_recorded_holds_nothing_that_was_said() -> None:
    """And the same figures, ids and times as before."""
    recorded = COMPLETE.without_words()
    said = {message.text for message in COMPLETE.messages} | {COMPLETE.decided().decision.reply}
    travelling = str(turn_to_dict(recorded))
    assert [text for text in said if text and text in travelling] == []
    for made in (recorded, travelled(recorded)):
        rows = [metrics_row(turn.token, turn.stored_outcome(), 1, committed=True) for turn in (COMPLETE, made)]
        assert rows[0] == rows[1]
        assert (made.fetched().id, made.steps_ms) == (COMPLETE.fetched().id, COMPLETE.steps_ms)
        assert [message.id for message in made.messages] == [message.id for message in COMPLETE.messages]


def test_a_step_that_has_ended_travels_with_the_others() -> None:
    """The next begins at once, or when the turn is read; a clock that was set back makes no time negative."""
    ended = replace(COMPLETE, begun_at_s=50.0).after("update_session", now_s=50.0125)
    steps_ms = {**COMPLETE.steps_ms, "update_session": 12.5}
    assert ended == replace(COMPLETE, steps_ms=steps_ms, begun_at_s=50.0125)
    read = turn_from_dict(turn_to_dict(ended), begun_at_s=77.0)
    assert read == replace(LIGHT, steps_ms=steps_ms, begun_at_s=77.0)
    assert ended.after("record_metrics", now_s=49.0).steps_ms["record_metrics"] == 0.0


def test_the_holder_is_who_proves_the_claim() -> None:
    """Customer and token."""
    assert COMPLETE.holder == ("5491100000001", "token-1")


@pytest.mark.parametrize(("look", "missing"), [("fetched", "session"), ("planned", "plan"), ("decided", "outcome")])
def test_a_step_taken_too_early_is_a_defect(look: str, missing: str) -> None:
    """Each look demands that its step has been done."""
    assert getattr(COMPLETE, look)() == getattr(COMPLETE, missing)
    with pytest.raises(AssertionError, match="comes first"):
        getattr(turn_from_dict(turn_to_dict(COMPLETE) | {missing: None}), look)()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.text(),
    st.none() | st.text(),
    CONTEXTS,
)
def test_any_text_travels(text: str, name: str | None, context: Context) -> None:
    """Whatever a customer is called and writes."""
    turn = turn_of(text, customer_name=name, session=session_of(context=context, customer_name=name))
    assert travelled(turn) == turn

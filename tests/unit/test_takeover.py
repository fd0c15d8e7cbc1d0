"""A person takes over: who asks for one, who waits, and what of it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from helpers.turns import HUMAN_WAIT_S, SHOP, closing_row, message, session_of, turn_of
from msgspec import convert

from worker.language.normalise import normalised
from worker.language.product_words import USUAL_PRODUCT_WORDS
from worker.language.topics import asks_for_person
from worker.replies.fallback import fallback_decision, handover_decision
from worker.replies.scene import Scene
from worker.session.handover import (
    ASKED,
    FAILED,
    LIMIT,
    MODEL,
    answered_by_ai,
    handed_over,
    pressed_for_person,
    waits_for_person,
)
from worker.session.outcome import Decision, Outcome
from worker.session.session import Context
from worker.session.turn import Turn
from worker.steps.planning import without_model
from worker.steps.question import Reader

GIVEN_UP = fallback_decision(Scene(SHOP, session_of(), "v", text="que me conviene?"), requires_human=True)
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WAIT = timedelta(seconds=HUMAN_WAIT_S)
ASKING: dict[str, Any] = {"wait_s": HUMAN_WAIT_S, "reason": ASKED}


def route(turn: Turn, now: datetime) -> Turn:
    """The turn with its outcome where no model is needed."""
    return without_model(turn, Reader(USUAL_PRODUCT_WORDS).question(turn), SHOP, now)


@pytest.mark.parametrize(
    "text",
    [
        "quiero hablar con una persona",
        "me pasás con alguien?",
        "necesito un asesor urgente",
        "sos un robot? quiero un humano",
        "Comunicame con un encargado por favor",
        "hay alguna persona real ahí",
        "atención al cliente",
    ],
)
def test_asking_for_a_person(text: str) -> None:
    """The ways in which people ask for somebody."""
    assert asks_for_person(normalised(text))


@pytest.mark.parametrize("text", ["quiero leche", "comida para 4 personas", "hola", "para alguien celiaco que hay"])
def test_not_asking_for_a_person(text: str) -> None:
    """A person in a sentence is not yet a request for one."""
    assert not asks_for_person(normalised(text))


def test_the_button_asks_too() -> None:
    """The quick reply of the fallback."""
    assert pressed_for_person(turn_of(messages=(message("Hablar con alguien", selection_id="human"),)))


def test_one_line_then_silence_until_the_time_is_over() -> None:
    """Asked for: one canned reply, 30 minutes without any, then the AI again."""
    asked = route(turn_of("quiero hablar con una persona"), NOW)
    assert asked.outcome is not None
    assert asked.outcome.source == "canned"
    row = closing_row(asked, NOW)
    assert row["state"] == "answered"
    assert row["reply"]["requires_human"] is True
    context = row["session"]["context_data"]
    assert datetime.fromisoformat(context["human_until"]) == NOW + WAIT

    later = route(turn_of("hola?", session=session_of(context=context)), NOW + timedelta(minutes=5))
    assert later.outcome is not None
    assert later.outcome.source == "closed"
    silent = closing_row(later, NOW + timedelta(minutes=5))
    assert (silent["state"], silent["reply"]) == ("closed", None)
    assert silent["session"]["context_data"]["human_until"] == context["human_until"]

    again = route(turn_of("hola", session=session_of(context=context)), NOW + WAIT)
    assert again.outcome is None


def test_a_model_may_hand_over_and_the_line_follows_once() -> None:
    """What the model says is its own; the next message gets the one line, the one after it none."""
    decided = turn_of(
        "llego todo roto",
        outcome=Outcome("ai", Decision("support", 0.9, reply="Uy.", requires_human=True)),
    )
    context = closing_row(decided, NOW)["session"]["context_data"]
    assert waits_for_person(convert(context, Context), NOW)
    first = route(turn_of("y?", session=session_of(context=context)), NOW)
    assert first.outcome is not None
    assert first.outcome.source == "canned"
    context = closing_row(first, NOW)["session"]["context_data"]
    second = route(turn_of("y??", session=session_of(context=context)), NOW)
    assert second.outcome is not None
    assert second.outcome.source == "closed"


def test_a_wait_is_not_prolonged_by_what_comes_meanwhile() -> None:
    """Thirty minutes from the first time, however much the customer writes."""
    first = handed_over(Context(), NOW, **ASKING, told=True)
    later = {"wait_s": 9.0, "reason": MODEL, "told": False}
    assert handed_over(first, NOW + timedelta(minutes=20), **later) == first


def test_a_wait_that_ended_by_itself_stays_noted_and_the_ai_answers() -> None:
    """The shop sees whom nobody has answered; the next wait is told of again."""
    before = handed_over(Context(), NOW - WAIT * 2, **ASKING, told=True)
    turn = turn_of(
        "hola",
        session=session_of(context=before),
        outcome=Outcome("ai", Decision("greeting", 1.0, reply="Hola")),
    )
    after = convert(closing_row(turn, NOW)["session"]["context_data"], Context)
    assert (after.human_since, after.human_until, after.human_reason) == (NOW - WAIT * 2, NOW - WAIT, ASKED)
    assert not waits_for_person(after, NOW)
    assert not after.human_told
    again = handed_over(before, NOW, wait_s=60.0, reason=MODEL, told=False)
    assert (again.human_since, again.human_until, again.human_told) == (NOW, NOW + timedelta(seconds=60), False)


def test_nobody_who_never_waited_is_noted() -> None:
    """An answer of the AI leaves nothing of a wait behind."""
    assert answered_by_ai(Context()) == Context()


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome("canned", handover_decision(SHOP)), ASKED),
        (Outcome("ai", Decision("support", 0.9, reply="Uy.", requires_human=True)), MODEL),
        (Outcome("canned", handover_decision(SHOP, "handover.limited", LIMIT)), LIMIT),
        (
            Outcome(
                "fallback",
                GIVEN_UP,
            ),
            FAILED,
        ),
        (Outcome("canned", handover_decision(SHOP, reason="florist")), "florist"),
    ],
)
def test_a_wait_says_since_when_and_why(outcome: Outcome, reason: str) -> None:
    """And lasts as long as the shop has it."""
    context = closing_row(turn_of("hola", outcome=outcome), NOW, human_wait_s=90.0)["session"]["context_data"]
    assert context["human_reason"] == reason
    times = [datetime.fromisoformat(context[name]) for name in ("human_since", "human_until")]
    assert times == [NOW, NOW + timedelta(seconds=90)]

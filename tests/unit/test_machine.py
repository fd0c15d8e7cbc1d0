"""Machines that answer ours: what gives them away, and what customers may do as often as they like."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from helpers.turns import HUMAN_WAIT_S, SHOP, decided, message, session_of, turn_of
from msgspec.structs import replace

from worker.language.answers import folded, is_automatic
from worker.replies.closing import close
from worker.session.handover import MACHINE
from worker.session.machine import QUICK, QUICK_FOR_S, TEXTS, TIMES, TIMES_IN_A_ROW, WITHIN_S, is_machine
from worker.session.outcome import Outcome
from worker.session.session import Pace, Session
from worker.session.turn import Turn
from worker.steps.planning import without_model
from worker.steps.question import Question

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
GREETING = "¡Hola! Bienvenido a Panadería La Espiga, ¿qué pan querés hoy?"
OTHER_GREETING = "Buenas tardes, le atiende la panadería, díganos su pedido"
AWAY = "Hola, gracias por comunicarte con Kiosco Ana. En este momento no estamos disponibles."


class Talk:
    """A conversation with us, whose replies are decided as a model would. turn: the last one."""

    def __init__(self) -> None:
        self.session: Session = session_of(version=0)
        self.now = NOW
        self.turn: Turn = turn_of()

    def say(self, *texts: str, after_s: float = 60.0, answers: bool = True, **content: object) -> bool:
        """One turn, so long after our last reply; whether it seems to come from a machine. answers: it was accepted
        when it came, and not claimed behind another one.
        """
        self.now += timedelta(seconds=after_s)
        told = tuple(message(text, number, **content) for number, text in enumerate(texts, 1))
        accepted = self.now.timestamp() if answers else None
        self.turn = turn_of(messages=told, session=self.session, accepted_at_s=accepted)
        found = is_machine(self.turn, self.now)
        self.close(decided())
        return found

    def close(self, outcome: Outcome) -> None:
        """Ends the turn in this way."""
        closed = close(replace(self.turn, outcome=outcome), SHOP, self.now, HUMAN_WAIT_S).session
        assert closed is not None
        self.session = closed


def said(talk: Talk, texts: Sequence[str], after_s: float = 60.0) -> list[bool]:
    """Whether each of these texts, one turn each, seems to come from a machine."""
    return [talk.say(text, after_s=after_s) for text in texts]


def test_the_same_text_again_and_again() -> None:
    """Five times within ten minutes, whatever its case and signs."""
    texts = [GREETING, GREETING.upper(), GREETING + "!!", GREETING, GREETING]
    assert said(Talk(), texts) == [False] * 4 + [True]


def test_two_texts_in_turn_are_the_same_again_and_again() -> None:
    """What a machine with two greetings writes."""
    assert said(Talk(), [GREETING, OTHER_GREETING] * TIMES, 20.0).index(True) == 2 * TIMES - 2


def test_repetitions_in_one_burst_count() -> None:
    """A turn holds up to ten messages."""
    assert Talk().say(*[GREETING] * TIMES)


def test_a_text_that_comes_now_and_then() -> None:
    """Every five minutes is not again and again."""
    assert not any(said(Talk(), [GREETING] * 20, WITHIN_S / (TIMES - 1) + 1))


def test_only_the_last_texts_are_remembered() -> None:
    """Somebody who asks many things asks some of them again."""
    questions = [f"me decis por favor cuanto sale la leche numero {number}" for number in range(TEXTS + 1)]
    assert not any(said(Talk(), questions * 2 * TIMES, 5.0))


@pytest.mark.parametrize("text", ["si", "dale", "no, gracias", "2", "la 3", "👍"])
def test_answers_may_be_repeated(text: str) -> None:
    """By a customer who answers our questions."""
    assert not any(said(Talk(), [text] * 4 * TIMES, 2.0))


@pytest.mark.parametrize("text", ["tenes leche?", "a que hora abren", "quiero dos leches enteras", "otra mas"])
def test_short_texts_may_be_repeated(text: str) -> None:
    """By a customer who is impatient; and as often as he likes, where he says other things between."""
    assert not any(said(Talk(), [text] * (TIMES_IN_A_ROW - 1), 2.0))
    assert not any(said(Talk(), [text, "gracias"] * 4 * TIMES, 2.0))


@pytest.mark.parametrize("text", ["hola", "¡Hola!", "Bienvenido, ¿qué necesita?", "🤖"])
def test_one_short_text_and_no_other_again_and_again(text: str) -> None:
    """Two machines that say hello to each other end, however slow they are; hello every two minutes is none."""
    assert said(Talk(), [text] * TIMES_IN_A_ROW, 30.0) == [False] * (TIMES_IN_A_ROW - 1) + [True]
    assert not any(said(Talk(), [text] * 4 * TIMES_IN_A_ROW, WITHIN_S / (TIMES_IN_A_ROW - 1) + 1))


@pytest.mark.parametrize(
    "content",
    [
        {"selection_id": "view_cart", "type": "interactive"},
        {"type": "button", "selection_id": "x"},
        {"type": "location"},
    ],
)
def test_taps_may_be_repeated(content: dict[str, object]) -> None:
    """However long the title of a button is, and however fast the finger."""
    talk = Talk()
    assert not any(talk.say(GREETING, after_s=0.5, **content) for _ in range(400))


def test_answers_within_a_second_for_minutes() -> None:
    """A program that thinks of something else each time."""
    talk, seen = Talk(), []
    for number in range(200):
        talk.now += timedelta(seconds=2)
        talk.session = replace(talk.session, context=replied(talk))
        seen.append(talk.say(f"otra cosa numero {number}", after_s=0.6))
    assert seen.index(True) == pytest.approx(QUICK_FOR_S / 2.6, abs=2)
    assert seen.index(True) >= QUICK


def replied(talk: Talk) -> object:
    """The context of a customer to whom we have replied just now."""
    context = talk.session.context
    return replace(context, pace=replace(context.pace, replied_at_s=talk.now.timestamp()))


def test_one_answer_at_leisure_is_a_human_one() -> None:
    """The count begins anew; a message that waited behind another turn says nothing."""
    talk = Talk()
    for number in range(QUICK - 1):
        talk.say(f"otra cosa numero {number}", after_s=0.5)
    assert talk.session.context.pace.quick == QUICK - 2
    talk.say("y ademas otra cosa", answers=False)
    assert talk.session.context.pace.quick == QUICK - 2
    talk.turn = replace(talk.turn, waited=True, accepted_at_s=talk.now.timestamp() - 5)
    talk.close(decided())
    assert talk.session.context.pace.quick == QUICK - 2
    talk.say("y ademas otra cosa", after_s=1.5)
    assert talk.session.context.pace.quick == 0


def test_a_conversation_from_a_script_is_none() -> None:
    """Thirty turns as fast as we answer."""
    assert not any(said(Talk(), [f"otra cosa numero {number}" for number in range(30)], 0.9))


def test_an_automatic_answer_comes_once() -> None:
    """The telephone of a customer who buys for a shop may answer one of our replies; it does not answer each."""
    talk = Talk()
    assert said(talk, ["quiero dos leches", AWAY, "ahora si, dos leches"]) == [False, False, False]
    assert said(talk, [AWAY]) == [True]
    assert said(Talk(), [AWAY, "hola"] + ["dos leches", "y pan"] * 5 + [AWAY]) == [False] * 13


@pytest.mark.parametrize(
    "text",
    [
        AWAY,
        "Respuesta automática: estoy de vacaciones hasta el lunes",
        "Hola, este es un mensaje automático.",
        "Estoy fuera de la oficina, vuelvo el 3 de diciembre",
        "Gracias por escribirnos. Te responderemos a la brevedad.",
        "Hola, soy el asistente virtual de Don Pepe. Seleccioná una opción: 1. Precios 2. Horarios",
        "Automatic reply: I am out of the office until Monday",
    ],
)
def test_words_of_automatic_answers(text: str) -> None:
    """What telephones and programs write by themselves."""
    assert is_automatic(folded(text))


@pytest.mark.parametrize(
    "text",
    [
        "gracias por la atención",
        "me mandás siempre una respuesta automática?",
        "dejen de mandar mensajes automáticos",
        "no entendí tu mensaje",
        "me lo llevan a la oficina?",
        "gracias por tu mensaje, quiero 2 leches",
        "tienen lavarropas automático?",
    ],
)
def test_words_of_customers(text: str) -> None:
    """What people write, also those who are tired of automatic answers."""
    assert not is_automatic(folded(text))


def test_a_machine_is_left_to_a_person_once() -> None:
    """One notice, then silence; a handover begins the count anew, so that `chasqui resume` is worth something."""
    talk = Talk()
    said(talk, [GREETING] * (TIMES - 1))
    question = Question(asks_for_person=False, complexity="simple", shared_form=None, terms=())
    turn = turn_of(GREETING, session=talk.session)
    noticed = without_model(turn, question, SHOP, talk.now)
    decision = noticed.decided().decision
    assert (noticed.decided().source, decision.human_reason, decision.requires_human) == ("canned", MACHINE, True)
    assert decision.reply == SHOP.text("handover.machine")
    talk.turn = turn
    talk.close(noticed.decided())
    context = talk.session.context
    assert (context.human_reason, context.human_told, context.pace) == (MACHINE, True, Pace())
    silent = without_model(turn_of(GREETING, session=talk.session), question, SHOP, talk.now)
    assert silent.decided().source == "closed"
    later = talk.now + timedelta(seconds=HUMAN_WAIT_S + 1)
    assert without_model(turn_of(GREETING, session=talk.session), question, SHOP, later).outcome is None


def test_what_is_remembered_is_little() -> None:
    """And holds no words."""
    talk = Talk()
    for number in range(50):
        talk.say(*[f"{GREETING} {number % 3}"] * 10)
    pace = talk.session.context.pace
    assert len(pace.texts) <= TEXTS
    assert pace.row
    assert len(pace.row.at_s) <= TIMES_IN_A_ROW
    assert all(len(one.at_s) <= TIMES and len(one.digest) == 16 for one in pace.texts)

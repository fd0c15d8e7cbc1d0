"""Counts of what is asked: forms alone, written together, and nobody to be told from them."""

from __future__ import annotations

from helpers.turns import decided, planned, turn_of
from msgspec.structs import replace

from worker.session.turn import Turn
from worker.telemetry.asked import ASKER_GROUPS, AskedCounts, asker_bit, form_key

NOW_S = 1_763_802_345.6
HOUR = 1_763_802_000


def asked(text: str = "Hola! tenés leche?", phone: str = "5491100000001") -> Turn:
    """A turn that was answered and committed."""
    return replace(planned(turn_of(text, phone)), outcome=decided(), committed=True)


def test_what_everybody_may_ask_is_counted() -> None:
    """By form and hour, whatever the words; the number, the words and the name stay behind."""
    counts = AskedCounts(write_every_s=0.0)
    counts.add([asked(), asked("hay leche", "5491100000003")], NOW_S)
    form = "tenes leche y a que precio"
    askers = asker_bit("5491100000001") | asker_bit("5491100000003")
    told = {"form_key": form_key(form), "form": form, "hour": HOUR, "askers": askers, "asked": 2}
    assert counts.due() == {"forms": [told], "followers": [], "ahead": []}
    assert counts.due() is None


def test_what_is_ones_own_is_not_counted() -> None:
    """Nor a turn that was lost."""
    counts = AskedCounts(write_every_s=0.0)
    counts.add([asked("dame la que te dije"), replace(asked(), committed=False), replace(asked(), plan=None)], NOW_S)
    assert counts.due() is None


def test_what_follows_and_what_was_made_ahead() -> None:
    """By their keys."""
    turn = asked()
    plan = replace(turn.planned(), after="hola")
    counts = AskedCounts(write_every_s=0.0)
    counts.add([replace(turn, plan=plan, outcome=replace(decided("cache"), ahead=True))], NOW_S)
    due = counts.due()
    assert due is not None
    assert due["followers"] == [{"after_key": form_key("hola"), "form_key": form_key(plan.form), "asked": 1}]
    assert due["ahead"] == [plan.key]


def test_counts_are_written_together() -> None:
    """At once after a pause, then not before ten seconds have passed; each hour by itself."""
    at_s = [100.0]
    counts = AskedCounts(clock=lambda: at_s[0])
    counts.add([asked()], NOW_S)
    assert counts.due() is not None
    at_s[0] += 9.9
    counts.add([asked()], NOW_S)
    assert counts.due() is None
    counts.add([asked()], NOW_S + 3_600)
    at_s[0] += 0.1
    due = counts.due()
    assert due is not None
    assert [(told["hour"], told["asked"]) for told in due["forms"]] == [(HOUR, 1), (HOUR + 3_600, 1)]


def test_a_group_is_many_customers() -> None:
    """Each falls into one of 63, which fits a signed bigint."""
    bits = {asker_bit(str(5_491_100_000_000 + number)) for number in range(5_000)}
    assert len(bits) == ASKER_GROUPS
    assert {bit.bit_count() for bit in bits} == {1}
    assert max(bits) < 2**63

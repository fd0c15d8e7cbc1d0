"""What the benchmark makes of what it has seen: rates, ratios, and who writes when."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
from bench.crowd import REGULARS, Crowd, Written
from bench.gateway import Conversations, Played
from bench.rounds import Round, costs, percentile, spread, summary
from bench.runs import Run
from bench.tables import facts
from bench.usage import Load
from bench.workload import Message, make_workload

from worker.catalog.price_list import read_products
from worker.devkit.demo import CATALOG
from worker.messages.inbound import parse_payload

PRODUCTS = read_products(CATALOG)
NOW_S = 1_763_800_000


def run_at(rate: float, cpu_ms: float = 1.0, commits: float = 0.1) -> Run:
    """A second at this rate."""
    used = {"worker": cpu_ms, "postgres": cpu_ms / 4}
    return Run(int(rate), 1.0, used, Load(commits, commits / 2, 10.0), {"cache": int(rate)})


def round_of(empty: float, plain: float, ours: float) -> Round:
    """A round on the cached workload with these rates."""
    runs = {"empty_chain": run_at(empty, 8.0), "plain": run_at(plain, 16.0, 2.0), "ours": run_at(ours)}
    return Round({(name, "cached"): run for name, run in runs.items()})


def test_two_runs_of_a_contender_are_one() -> None:
    """Messages and time add up; what a message costs weighs by messages, what the cores did by time."""
    one = Run(100, 1.0, {"worker": 4.0}, Load(2.0, 1.0, 10.0), {"cache": 100}, idle=0.5, others=0.1)
    other = Run(
        300, 2.0, {"worker": 8.0, "redis": 4.0}, Load(6.0, 1.0, 10.0), {"cache": 200, "ai": 100}, idle=0.2, others=0.4
    )
    both = one.joined(other)
    assert (both.messages, both.took_s, both.sources) == (400, 3.0, {"cache": 300, "ai": 100})
    assert both.cpu_ms == {"worker": 7.0, "redis": 3.0}
    assert both.load == Load(5.0, 1.0, 10.0)
    assert (both.idle, both.others) == (pytest.approx(0.3), pytest.approx(0.3))


def reply_to(written: Written, **changes: object) -> dict[str, object]:
    """Its reply as the outbound stream has it."""
    return {"to": written.customer, "in_reply_to": [written.id], "requires_human": False, "source": "cache"} | changes


def conversations_in(messages: Sequence[Message | Written]) -> list[list[str]]:
    """The texts of each customer, in order."""
    texts: dict[str, list[str]] = {}
    for message in messages:
        texts.setdefault(message.customer, []).append(message.text)
    return list(texts.values())


def test_ratios_are_of_pairs_and_not_of_medians() -> None:
    """A machine that is slow for a whole round changes rates and not ratios."""
    found = summary([round_of(60, 30, 1_200), round_of(30, 15, 600), round_of(100, 25, 1_000)])
    assert found["throughput"] == {
        "cached": {
            "empty_chain": {"min": 30, "median": 60, "max": 100},
            "plain": {"min": 15, "median": 25, "max": 30},
            "ours": {"min": 600, "median": 1_000, "max": 1_200},
        }
    }
    assert found["ratios"] == {
        "cached_vs_empty_chain": {"min": 10, "median": 20, "max": 20},
        "cached_vs_plain": {"min": 40, "median": 40, "max": 40},
    }


def test_what_a_message_costs_is_compared() -> None:
    """CPU of an empty chain beside ours, PostgreSQL's load beside the plain flow's."""
    rounds = [round_of(60, 30, 1_200)]
    found = facts(rounds, costs(rounds))
    assert found["cached_cpu_empty_chain_vs_ours"] == 8.0
    assert found["postgres_reduction_percent"] == {"commits": 95.0, "writes": 95.0, "cpu": 93.8}


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_a_percentile_is_one_of_the_values(share: float, value: int) -> None:
    """Whatever their order."""
    assert percentile([float(n) for n in range(100, 0, -1)], share) == value


def test_a_spread_is_rounded() -> None:
    """To a hundredth."""
    assert spread([1.0, 2.0, 4.567]) == {"min": 1.0, "median": 2.0, "max": 4.57}


def test_every_workload_is_what_the_gateway_would_send() -> None:
    """Each body is one message that Chasqui reads as it was written."""
    crowd = Crowd(PRODUCTS, 1)
    asked = crowd.questions(20)
    written = [*crowd.asking(asked, 30), *crowd.never_asked(10), *crowd.day(make_workload(PRODUCTS, 60, 1), 60)]
    for one in written:
        (message,) = parse_payload(one.body(NOW_S), NOW_S).messages
        assert (message.message_id, message.customer_phone, message.name) == (one.id, one.customer, one.name)
        assert message.text == one.text
    assert len({one.id for one in written}) == len(written)
    assert len(set(asked)) == 20


def test_nobody_writes_twice_within_so_many_messages() -> None:
    """Whoever writes again has been answered, also from one run to the next."""
    crowd = Crowd(PRODUCTS, 1)
    asked = crowd.questions(5)
    customers = [one.customer for _ in range(3) for one in crowd.asking(asked, REGULARS // 2)]
    assert len(set(customers[:REGULARS])) == REGULARS
    assert customers[REGULARS:] == customers[: REGULARS // 2]


def test_no_regular_writes_the_same_twice_in_a_row() -> None:
    """Who does it eight times is taken for a machine, and gets no reply."""
    crowd = Crowd(PRODUCTS, 1)
    last: dict[str, str] = {}
    for one in crowd.asking(["hola", "gracias", "HOLA"], 4 * REGULARS):
        assert one.text.casefold() != last.get(one.customer)
        last[one.customer] = one.text.casefold()
    assert len(crowd.asking(["hola"], REGULARS + 1)) == REGULARS + 1


def test_what_was_never_asked_is_never_asked_again() -> None:
    """By nobody, in no run."""
    crowd = Crowd(PRODUCTS, 1)
    written = [*crowd.never_asked(200), *crowd.never_asked(200)]
    assert len({one.text for one in written}) == len({one.customer for one in written}) == 400


def test_a_day_keeps_conversations_whole_and_apart() -> None:
    """Each customer's messages in their order, none next to another of the same customer."""
    day = make_workload(PRODUCTS, 600, 1)
    written = Crowd(PRODUCTS, 1).day(day, 600)
    assert sorted(conversations_in(written)) == sorted(conversations_in(day))
    assert all(one.customer != other.customer for one, other in pairwise(written))


def test_a_share_of_a_day_is_whole_conversations() -> None:
    """A day that is cut off early would be all greetings."""
    day = make_workload(PRODUCTS, 2_000, 1)
    lengths = Counter(message.customer for message in day).values()
    written = Crowd(PRODUCTS, 1).day(day, 500)
    assert 300 < len(written) < 700
    assert set(Counter(one.customer for one in written).values()) <= set(lengths)


def test_a_customer_waits_for_a_reply() -> None:
    """The second message of one is sent when the first is answered."""
    first, other, second = (Written(f"m{n}", customer, "Ana", "hola") for n, customer in enumerate("aba"))
    conversations = Conversations([first, other, second])
    assert conversations.ready() == [first, other]
    conversations.take(reply_to(first))
    conversations.take(reply_to(first))
    assert (conversations.ready(), conversations.left) == ([second], 2)


def test_whom_a_person_answers_writes_no_more() -> None:
    """No reply is awaited where none is due."""
    first, second = (Written(f"m{n}", "a", "Ana", "hola") for n in range(2))
    conversations = Conversations([first, second])
    conversations.take(reply_to(first, requires_human=True))
    assert (conversations.ready(), conversations.left) == ([first], 0)


def test_a_reply_counts_once() -> None:
    """The outbound stream is at-least-once; replies to others are not ours."""
    played = Played(sent_ms={"m1": 1_000, "m2": 1_000})
    reply = {"to": "a", "in_reply_to": ["m1", "m2"], "source": "cache"}
    for at_ms, seen in ((1_040, reply), (1_900, reply), (1_950, reply | {"in_reply_to": ["m3"]})):
        played.take(json.loads(json.dumps(seen)), at_ms)
    assert (played.answered, played.latencies_ms) == (2, [40.0, 40.0])
    assert (played.sources["cache"], played.cached) == (2, {"m1", "m2"})

"""A model that cannot be asked: its turn goes on with the next, the fleet leaves it alone, a probe brings it back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from helpers.answering import request_of
from helpers.away import absent_redis
from helpers.http_provider import Answer, drip
from helpers.roles import DENIED, DOWN, GONE, UNCLEAR, UNFIT, Fleet, ask, chat, done, fleet_on
from helpers.turns import MILK, plan_of

from worker.errors import ModelGone, ProviderDenied, UnreadableAnswer
from worker.providers.circuit_rules import CircuitLimits, Permit, PermitRefusal

LIMITS = CircuitLimits()


@pytest.fixture
def fleet(redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Two providers that are well."""
    monkeypatch.setenv("NO_PROXY", "*")
    with fleet_on(redis_client) as made:
        yield made


@pytest.mark.parametrize("refusal", [GONE, UNFIT], ids=["gone", "unfit"])
def test_the_same_turn_goes_on_with_the_next_model(fleet: Fleet, refusal: Answer) -> None:
    """Of the same provider; and the next turn asks that one first."""
    fleet.play([refusal, chat("Soy b.")])
    process = fleet.process()
    outcomes = [process.complete(ask()) for _ in range(3)]
    assert [done(outcome) for outcome in outcomes] == [("ai", "first", "b")] * 3
    assert fleet.asked() == ["a", "b", "b", "b"]
    assert [call.outcome for call in outcomes[0].calls_made][1] == "ok"
    assert fleet.state("first:a")["state"] == "open"
    assert fleet.state("first")["failures"] == "0"


def test_then_with_the_next_provider(fleet: Fleet) -> None:
    """Where the first has no model left; it is asked no more."""
    fleet.play([GONE])
    process = fleet.process()
    assert [done(process.complete(ask())) for _ in range(3)] == [("ai", "second", "c")] * 3
    assert fleet.asked() == ["a", "b", "c", "c", "c"]


def test_when_no_model_is_left_there_is_a_fallback(fleet: Fleet) -> None:
    """Without another call."""
    fleet.play([GONE], [GONE])
    process = fleet.process()
    assert [process.complete(ask()).source for _ in range(3)] == ["fallback"] * 3
    assert fleet.asked() == ["a", "b", "c"]


def test_the_fleet_knows_at_once(fleet: Fleet) -> None:
    """Another process does not make the same call, nor does one that is restarted."""
    fleet.play([GONE, chat("Soy b.")])
    fleet.process().complete(ask())
    assert done(fleet.process().complete(ask())) == ("ai", "first", "b")
    assert fleet.asked() == ["a", "b", "b"]
    permit = fleet.breaker().permit("first", "x", ("a", "b"))
    assert isinstance(permit, Permit)
    assert permit.model == "b"


def test_what_a_gone_model_costs_is_bounded(fleet: Fleet) -> None:
    """Forty turns in eight threads of two processes: no more wasted calls than were under way."""
    fleet.play([GONE])
    processes = [fleet.process(), fleet.process()]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda n: processes[n % 2].complete(ask(token=str(n), customer=str(n))), range(40)))
    assert {done(outcome) for outcome in outcomes} == {("ai", "second", "c")}
    assert len(fleet.first.seen) <= 2 * 8
    for model in ("a", "b"):
        assert fleet.state(f"first:{model}")["trips"] == "1"
    assert sorted(told[:3] for told in fleet.changes) == [("first", "a", "open"), ("first", "b", "open")]


def test_the_operator_hears_what_the_provider_said(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """The parameter's name, in the log, in what is noted and in Redis."""
    fleet.play([UNFIT, chat()])
    fleet.process().complete(ask())
    sentence = "Unsupported parameter: 'max_tokens'."
    assert fleet.changes == [("first", "a", "open", "model_unfit", sentence)]
    assert (fleet.state("first:a")["reason"], fleet.state("first:a")["told"]) == ("model_unfit", sentence)
    logged = capsys.readouterr()
    assert "model_refused" in logged.out + logged.err
    assert "max_tokens" in logged.out + logged.err


def waited(fleet: Fleet, model: str = "a") -> None:
    """Lets the open time of a model be over."""
    fleet.client.hset(f"ai_circuit:first:{model}", "until_ms", 0)


def test_one_caller_probes_and_a_good_answer_closes(fleet: Fleet) -> None:
    """The others go on with the next model meanwhile; then it is the preferred one again."""
    fleet.play([GONE, chat()])
    fleet.process().complete(ask())
    waited(fleet)
    breaker = fleet.breaker()
    permits = [breaker.permit("first", str(number), ("a", "b")) for number in range(5)]
    assert [permit.model for permit in permits if isinstance(permit, Permit)] == ["a", "b", "b", "b", "b"]
    probe = permits[0]
    assert isinstance(probe, Permit)
    assert probe.probing
    breaker.succeeded(probe, 1.0)
    assert fleet.state("first:a")["state"] == "closed"
    assert fleet.changes[-1][:3] == ("first", "a", "closed")
    fleet.play([chat()])
    assert done(fleet.process().complete(ask())) == ("ai", "first", "a")


def test_a_probe_that_finds_it_gone_waits_longer(fleet: Fleet) -> None:
    """An hour at first, doubled with each, at most six; and the customer's turn goes on."""
    fleet.play([GONE, chat()])
    process = fleet.process()
    waits = []
    for _ in range(5):
        fleet.first.answers = [GONE, chat()]
        assert process.complete(ask()).model == "b"
        waits.append(float(fleet.state("first:a")["until_ms"]) - time.time() * 1000)
        waited(fleet)
    expected = [min(LIMITS.model_open_ms * 2**number, LIMITS.model_open_max_ms) for number in range(5)]
    assert waits == pytest.approx(expected, abs=10_000)


def test_a_probe_that_never_reports_is_followed_by_another(fleet: Fleet) -> None:
    """Its process may have been killed."""
    fleet.play([GONE, chat()])
    fleet.process().complete(ask())
    waited(fleet)
    breaker = fleet.breaker()
    breaker.permit("first", "killed", ("a",))
    assert isinstance(breaker.permit("first", "x", ("a",)), PermitRefusal)
    fleet.client.hset("ai_circuit:first:a", "probe_until_ms", 0)
    assert isinstance(breaker.permit("first", "x", ("a",)), Permit)


def test_an_unclear_refusal_goes_to_the_next_provider(fleet: Fleet) -> None:
    """It may be the message's fault, and then another model of the same API would refuse it as well."""
    fleet.play([UNCLEAR])
    assert done(fleet.process().complete(ask())) == ("ai", "second", "c")
    assert fleet.asked() == ["a", "c"]
    assert fleet.state("first:a").get("state", "closed") == "closed"
    assert fleet.state("first") == {}


def test_one_customer_alone_sets_no_model_aside(fleet: Fleet) -> None:
    """However often he writes what it refuses."""
    fleet.play([UNCLEAR])
    process = fleet.process()
    for _ in range(5 * LIMITS.unclear_customers):
        process.complete(ask(customer="the same"))
    assert fleet.asked().count("a") == 5 * LIMITS.unclear_customers
    assert fleet.changes == []


def test_several_customers_in_a_row_do(fleet: Fleet) -> None:
    """At the third one, whoever wrote in between; and his own turn goes on as well."""
    fleet.play([UNCLEAR])
    process = fleet.process()
    for customer in ("one", "two", "one", "two"):
        process.complete(ask(customer=customer))
    assert fleet.changes == []
    assert process.complete(ask(customer="three")).source == "ai"
    assert [told[:4] for told in fleet.changes] == [("first", "a", "open", "model_unfit")]
    fleet.play([chat()])
    assert process.complete(ask()).model == "b"
    assert "one" not in str(fleet.state("first:a"))


def test_a_success_between_them_starts_the_count_again(fleet: Fleet) -> None:
    """The model can be asked, so the messages were at fault."""
    process = fleet.process()
    for answer, customer in [(UNCLEAR, "1"), (UNCLEAR, "2"), (chat(), "3"), (UNCLEAR, "4"), (UNCLEAR, "5")]:
        fleet.play([answer])
        process.complete(ask(customer=customer))
    assert fleet.changes == []
    process.complete(ask(customer="6"))
    assert [told[:3] for told in fleet.changes] == [("first", "a", "open")]


def test_a_model_that_is_forced_open_is_not_asked(fleet: Fleet) -> None:
    """Until it is closed by hand; no probe and no result changes it."""
    breaker = fleet.breaker()
    assert breaker.force("first", "open", "a") == "forced_open"
    fleet.client.hset("ai_circuit:first:a", "until_ms", 0)
    breaker.probed("first", "a", None)
    fleet.play([chat()])
    assert fleet.process().complete(ask()).model == "b"
    assert breaker.force("first", "close", "a") == "closed"
    assert fleet.process().complete(ask()).model == "a"


def test_a_prober_sets_aside_and_brings_back(fleet: Fleet) -> None:
    """Beside the customers' calls; a failure that may pass is left to them, and so is a key that is refused, for it may
    be about this model alone.
    """
    breaker = fleet.breaker()
    breaker.probed("first", "a", UnreadableAnswer("first", "x"))
    assert fleet.changes == []
    breaker.probed("first", "a", ModelGone("first", "HTTP 404", sentence="no such model"))
    breaker.probed("first", "a", ModelGone("first", "HTTP 404", sentence="no such model"))
    assert fleet.changes == [("first", "a", "open", "model_gone", "no such model")]
    breaker.probed("first", "a", None)
    assert fleet.changes[-1][:3] == ("first", "a", "closed")
    breaker.probed("first", "b", ProviderDenied("first", "HTTP 401"))
    assert fleet.changes[-1][:3] == ("first", "a", "closed")


def test_a_denied_key_asks_no_other_model(fleet: Fleet) -> None:
    """It opens every door or none."""
    fleet.play([DENIED])
    process = fleet.process()
    assert [process.complete(ask()).provider for _ in range(2)] == ["second", "second"]
    assert fleet.asked() == ["a", "c", "c"]
    assert fleet.state("first")["reason"] == "denied"


def test_without_redis_a_process_sets_aside_for_itself(fleet: Fleet) -> None:
    """At the first refusal, and only the model: the next one of the same provider is asked."""
    fleet.play([GONE, chat()])
    with absent_redis() as client:
        fleet.client = client
        process = fleet.process()
        assert [done(process.complete(ask())) for _ in range(3)] == [("ai", "first", "b")] * 3
    assert fleet.asked() == ["a", "b", "b", "b"]


def test_a_turn_waits_for_one_half_open_provider_at_most(redis_client: redis.Redis) -> None:
    """A probe that times out has cost its time: the next half-open one is left to others, a closed one is asked."""
    hang = drip(b"", b"")
    with fleet_on(redis_client, timeout_s=0.2) as fleet:
        for name in ("first", "second"):
            redis_client.hset(f"ai_circuit:{name}", mapping={"state": "open", "until_ms": 0, "opened": 1})
        fleet.play([hang], [hang])
        assert fleet.process().complete(ask()).source == "fallback"
        assert fleet.asked() == ["a"]
        redis_client.hset("ai_circuit:first", mapping={"state": "open", "until_ms": 0})
        redis_client.delete("ai_circuit:second")
        fleet.play([hang])
        assert done(fleet.process().complete(ask())) == ("ai", "second", "c")


def test_a_failure_that_may_pass_sets_no_model_aside(fleet: Fleet) -> None:
    """It counts against the provider."""
    fleet.play([DOWN])
    fleet.process().complete(ask())
    assert fleet.asked() == ["a", "c"]
    assert fleet.state("first")["failures"] == "1"
    assert fleet.state("first:a") == {}


def test_past_the_deadline_no_next_model_is_asked(fleet: Fleet) -> None:
    """A call that cannot end in time is not worth its money."""
    fleet.play([drip(b"", b"")])
    asked = request_of(plan_of("hola", MILK), token="t", customer="549", deadline=time.monotonic() + 0.3)
    assert fleet.process().complete(asked).source == "fallback"
    assert fleet.asked() == ["a"]

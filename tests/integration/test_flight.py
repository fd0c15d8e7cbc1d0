"""Single flight on a real Redis: one leader per key, everyone else parked or served."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from helpers.away import absent_redis
from structlog.testing import capture_logs

from worker.providers.single_flight import EndRequest, JoinRequest, JoinResult, SingleFlight
from worker.redisdb.keys import FLIGHT, PARKED

KEY = "ab" * 32
KEEP_S = 90.0
LEAD, PARK = JoinResult("lead"), JoinResult("parked")


@pytest.fixture
def flights(redis_client: redis.Redis) -> SingleFlight:
    """SingleFlight on the empty Redis."""
    return SingleFlight(redis_client, KEEP_S)


def join_request(token: str, key: str = KEY, left_s: float = 45.0) -> JoinRequest:
    """A turn that wants an answer; its payload is bytes of every kind."""
    return JoinRequest(key, token, f"turn of {token} ñ".encode() + b"\0\xff", left_s)


def payload(token: str) -> bytes:
    """What is parked for this token."""
    return join_request(token).payload


def land(flights: SingleFlight, key: str, result: bytes) -> list[bytes]:
    """Who was parked for a lead that brought this."""
    return flights.end([EndRequest(key, "whoever", result)])[0]


def give_up(flights: SingleFlight, key: str, token: str) -> list[bytes]:
    """Who was parked for a lead that brought nothing."""
    return flights.end([EndRequest(key, token)])[0]


def ttl_ms(client: redis.Redis, key: str) -> int:
    """Milliseconds a key has left."""
    left: Any = client.pttl(key)
    return int(left)


def lease_ends(client: redis.Redis) -> None:
    """Lets the leader's time be over."""
    client.pexpire(FLIGHT.key(KEY), 0)


def test_the_first_leads_and_the_others_are_parked(flights: SingleFlight) -> None:
    """Within a batch, and from batch to batch."""
    assert flights.join([join_request("a"), join_request("b"), join_request("c")]) == [LEAD, PARK, PARK]
    assert flights.join([join_request("d")]) == [PARK]
    assert land(flights, KEY, b"result") == [payload("b"), payload("c"), payload("d")]


def test_each_key_has_its_own_leader(flights: SingleFlight) -> None:
    """Boardings come in the order of the turns."""
    other = "cd" * 32
    assert flights.join([join_request("a"), join_request("b", other), join_request("c"), join_request("d", other)]) == [
        LEAD,
        LEAD,
        PARK,
        PARK,
    ]
    assert flights.join([]) == []
    assert land(flights, other, b"x") == [payload("d")]


def test_a_result_is_there_for_all_who_come(flights: SingleFlight, redis_client: redis.Redis) -> None:
    """For as long as it is kept; nobody is parked for it any more."""
    flights.join([join_request("a")])
    assert land(flights, KEY, b'{"text": "L\xc3\xb1R"}') == []
    assert flights.join([join_request("b"), join_request("a")]) == [JoinResult("result", b'{"text": "L\xc3\xb1R"}')] * 2
    assert redis_client.exists(PARKED.key(KEY)) == 0
    assert KEEP_S * 1000 - 5_000 <= ttl_ms(redis_client, FLIGHT.key(KEY)) <= KEEP_S * 1000


def test_an_empty_result_is_a_result(flights: SingleFlight) -> None:
    """It is told apart from none."""
    flights.join([join_request("a")])
    land(flights, KEY, b"")
    assert flights.join([join_request("b")]) == [JoinResult("result", b"")]


def test_who_joins_again_with_the_same_token_leads_again(flights: SingleFlight, redis_client: redis.Redis) -> None:
    """A step that is repeated must not wait for itself; its lead lasts as long as its new lease."""
    flights.join([join_request("a", left_s=5.0)])
    assert flights.join([join_request("a", left_s=45.0)]) == [LEAD]
    assert 40_000 <= ttl_ms(redis_client, FLIGHT.key(KEY)) <= 45_000


def test_a_lead_ends_with_the_lease(flights: SingleFlight, redis_client: redis.Redis) -> None:
    """The next one leads, and goes on with those who were parked for the one that died."""
    assert flights.join([join_request("dead", left_s=2.0), join_request("b")]) == [LEAD, PARK]
    assert 0 < ttl_ms(redis_client, FLIGHT.key(KEY)) <= 2_000
    assert ttl_ms(redis_client, PARKED.key(KEY)) > 80_000
    lease_ends(redis_client)
    assert flights.join([join_request("heir"), join_request("c")]) == [LEAD, PARK]
    assert land(flights, KEY, b"x") == [payload("b"), payload("c")]


@pytest.mark.parametrize("left_s", [0.0, -3.0, 0.0001])
def test_a_lease_that_is_over_leads_for_no_time(
    flights: SingleFlight, redis_client: redis.Redis, left_s: float
) -> None:
    """And is no error that would make the rest of the batch lead."""
    other = "cd" * 32
    late = join_request("late", left_s=left_s)
    assert flights.join([late, join_request("a", other), join_request("b", other)]) == [LEAD, LEAD, PARK]
    assert ttl_ms(redis_client, FLIGHT.key(KEY)) <= 1


def test_giving_up_frees_the_key(flights: SingleFlight, redis_client: redis.Redis) -> None:
    """The parked go with the leader, nothing is left behind."""
    flights.join([join_request("a"), join_request("b"), join_request("c")])
    assert give_up(flights, KEY, "a") == [payload("b"), payload("c")]
    assert redis_client.exists(FLIGHT.key(KEY), PARKED.key(KEY)) == 0
    assert flights.join([join_request("d")]) == [LEAD]


def test_leads_end_together_each_in_its_own_way(flights: SingleFlight) -> None:
    """One with a result, one with nothing, one that has long passed to another: each gets its own people back."""
    landed, over, lost = KEY, "cd" * 32, "ef" * 32
    flights.join(
        [join_request("a", landed), join_request("b", landed), join_request("c", over), join_request("d", over)]
    )
    flights.join([join_request("heir", lost), join_request("e", lost)])
    endings = [EndRequest(landed, "a", b"x"), EndRequest(lost, "slow"), EndRequest(over, "c")]
    assert flights.end(endings) == [[payload("b")], [], [payload("d")]]
    again = flights.join([join_request("f", landed), join_request("g", lost), join_request("h", over)])
    assert again == [JoinResult("result", b"x"), PARK, LEAD]


def test_where_no_leads_end_redis_is_not_asked() -> None:
    """It is away, and nobody notices."""
    with absent_redis() as client, capture_logs() as lines:
        assert SingleFlight(client, KEEP_S).end([]) == []
    assert lines == []


def test_only_the_leader_can_give_up(flights: SingleFlight, redis_client: redis.Redis) -> None:
    """One whose lead has passed to another takes nobody away from them, nor does one who never led."""
    flights.join([join_request("slow")])
    lease_ends(redis_client)
    flights.join([join_request("heir"), join_request("b")])
    assert give_up(flights, KEY, "slow") == []
    assert give_up(flights, KEY, "b") == []
    assert flights.join([join_request("c")]) == [PARK]
    assert give_up(flights, KEY, "heir") == [payload("b"), payload("c")]


def test_a_result_cannot_be_given_up(flights: SingleFlight) -> None:
    """A good answer stays, even for a token that once led."""
    flights.join([join_request("a")])
    land(flights, KEY, b"x")
    assert give_up(flights, KEY, "a") == []
    assert flights.join([join_request("b")]) == [JoinResult("result", b"x")]


def test_a_good_answer_counts_whoever_brings_it(flights: SingleFlight, redis_client: redis.Redis) -> None:
    """A leader that was too slow lands for the heir's people too; the heir then finds nobody."""
    flights.join([join_request("slow")])
    lease_ends(redis_client)
    flights.join([join_request("heir"), join_request("b")])
    assert land(flights, KEY, b"x") == [payload("b")]
    assert land(flights, KEY, b"y") == []


def test_one_leads_however_many_come_at_once(flights: SingleFlight) -> None:
    """Forty at the same time, from eight threads."""
    with ThreadPoolExecutor(8) as pool:
        joined = [each for (each,) in pool.map(flights.join, ([join_request(str(n))] for n in range(40)))]
    assert (joined.count(LEAD), joined.count(PARK)) == (1, 39)
    assert len(land(flights, KEY, b"x")) == 39


def test_keys_are_those_of_the_contract(flights: SingleFlight, redis_client: redis.Redis) -> None:
    """And both are gone after a while, whatever happens."""
    flights.join([join_request("a"), join_request("b")])
    assert redis_client.type(f"flight:{KEY}") == b"string"
    assert redis_client.type(f"parked:{KEY}") == b"list"
    assert ttl_ms(redis_client, f"parked:{KEY}") <= KEEP_S * 1000


def test_a_lead_is_held_by_its_token_alone(flights: SingleFlight, redis_client: redis.Redis) -> None:
    """It lasts as long as was said last; another's, and one that has ended, are as they were."""
    flights.join([join_request("a", left_s=45.0)])
    flights.hold([(KEY, "b"), ("cd" * 32, "b")], 90.0)
    assert ttl_ms(redis_client, FLIGHT.key(KEY)) <= 45_000
    assert not redis_client.exists(FLIGHT.key("cd" * 32))
    flights.hold([(KEY, "a")], 90.0)
    assert ttl_ms(redis_client, FLIGHT.key(KEY)) > 45_000
    assert land(flights, KEY, b"{}") == []
    flights.hold([(KEY, "a")], 1.0)
    assert ttl_ms(redis_client, FLIGHT.key(KEY)) > 1_000

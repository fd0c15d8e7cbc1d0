"""`unpublished_replies` and `record_metrics`: what is still to be published, and what it cost, counted once."""

from __future__ import annotations

from uuid import UUID, uuid4

from helpers.factories import (
    ANA,
    BRUNO,
    accept,
    answer,
    commit,
    commit_row,
    inbound,
    metrics_row,
    row,
    rows,
)
from sqlalchemy import Connection, text

from db import queries


def due(connection: Connection, *, older_than_s: float = 0, recent_s: float = 0, max_rows: int = 10) -> list[str]:
    """Ids of the replies to publish."""
    found = queries.unpublished_replies(connection, older_than_s=older_than_s, recent_s=recent_s, max_rows=max_rows)
    return [reply["reply_id"] for reply in found]


def test_a_reply_is_due_with_all_that_publishing_it_takes(connection: Connection) -> None:
    """The reply itself, how it was decided, and how many messages it answers."""
    (turn,) = accept(connection, inbound("m1"), inbound("m2"))
    given = commit_row(turn)
    commit(connection, given)
    assert queries.unpublished_replies(connection, older_than_s=0) == [
        {
            "reply_id": given["token"],
            "customer_phone": ANA,
            "reply": given["reply"],
            "outcome": given["outcome"],
            "message_count": 2,
        }
    ]


def test_replies_are_due_oldest_first(connection: Connection) -> None:
    """Of all customers, up to the number asked for."""
    tokens = [answer(connection, f"m{place}", phone)["token"] for place, phone in enumerate((BRUNO, ANA, BRUNO))]
    assert due(connection) == tokens
    assert due(connection, max_rows=2) == tokens[:2]


def test_a_reply_that_was_just_committed_is_not_due_yet(connection: Connection) -> None:
    """Whoever committed it is about to publish it."""
    old, new = answer(connection, "m1"), answer(connection, "m2")
    change = text("update messages set answered_at = now() - interval '20 seconds' where reply_id = :id")
    connection.execute(change, {"id": old["token"]})
    assert due(connection, older_than_s=15) == [old["token"]]
    assert due(connection, older_than_s=0) == [old["token"], new["token"]]


def test_a_published_reply_is_due_again_only_while_recent(connection: Connection) -> None:
    """What Redis may have lost is what was published within the last seconds before it went."""
    first, last, waiting = (answer(connection, f"m{place}")["token"] for place in range(3))
    queries.record_metrics(connection, [metrics_row(first), metrics_row(last)])
    change = text("update messages set published_at = now() - interval '1 minute' where reply_id = :id")
    connection.execute(change, {"id": first})
    assert due(connection) == [waiting]
    assert due(connection, recent_s=10) == [last, waiting]
    assert due(connection, recent_s=100) == [first, last, waiting]
    assert due(connection, older_than_s=60, recent_s=10) == [last]


def test_metrics_are_recorded_once_per_reply(connection: Connection) -> None:
    """A second call returns nothing, adds nothing and moves no time."""
    token = answer(connection, "m1")["token"]
    assert set(queries.record_metrics(connection, [metrics_row(token)])) == {token}
    before = rows(connection, "select a, m.published_at from ai_metrics a join messages m using (reply_id)")
    assert before[0]["published_at"] is not None
    assert queries.record_metrics(connection, [metrics_row(token, cost_microusd=999)]) == {}
    assert rows(connection, "select a, m.published_at from ai_metrics a join messages m using (reply_id)") == before


def test_the_same_reply_twice_in_a_batch_counts_once(connection: Connection) -> None:
    """Beside others, which all count."""
    first, second = answer(connection, "m1")["token"], answer(connection, "m2")["token"]
    recorded = queries.record_metrics(connection, [metrics_row(second), metrics_row(first), metrics_row(second)])
    assert set(recorded) == {first, second}
    assert row(connection, "select count(*) as n, sum(cost_microusd)::integer as cost from ai_metrics") == {
        "n": 2,
        "cost": 14,
    }


def test_every_figure_is_kept(connection: Connection) -> None:
    """Each name of the call is the column of that name."""
    numbers = (
        "messages",
        "calls",
        "prompt_tokens",
        "cached_tokens",
        "completion_tokens",
        "cost_microusd",
        "baseline_microusd",
        "provider_latency_ms",
    )
    names = ("provider", "model", "complexity", "intent", "session_cache", "source")
    given = {name: place for place, name in enumerate(numbers, 1)} | {name: f"a {name}" for name in names}
    token = answer(connection, "m1")["token"]
    recorded = queries.record_metrics(connection, [metrics_row(token, **given)])
    kept = row(connection, "select * from ai_metrics")
    assert {name: kept[name] for name in given} == given
    assert (kept["reply_id"], kept["committed"], kept["reply_latency_ms"]) == (UUID(token), True, recorded[token])


def test_latency_runs_from_the_oldest_message(connection: Connection) -> None:
    """In milliseconds, since acceptance: what the customer waited."""
    (turn,) = accept(connection, inbound("m1"), inbound("m2"))
    commit(connection, commit_row(turn))
    connection.execute(text("update messages set accepted_at = now() - interval '90 s' where message_id = 'm1'"))
    (latency_ms,) = queries.record_metrics(connection, [metrics_row(turn["token"])]).values()
    assert latency_ms is not None
    assert 90_000 <= latency_ms < 100_000


def test_all_messages_of_a_turn_are_marked_published(connection: Connection) -> None:
    """And none of another turn."""
    (turn,) = accept(connection, inbound("m1"), inbound("m2"))
    commit(connection, commit_row(turn))
    answer(connection, "m3")
    queries.record_metrics(connection, [metrics_row(turn["token"])])
    marked = rows(connection, "select message_id from messages where published_at is not null order by id")
    assert [message["message_id"] for message in marked] == ["m1", "m2"]


def test_a_lost_turn_costs_but_publishes_nothing(connection: Connection) -> None:
    """Its calls were paid for; it has no latency, and whatever has its id is not marked."""
    token, lost = answer(connection, "m1")["token"], str(uuid4())
    rows_given = [metrics_row(lost, committed=False), metrics_row(token, committed=False)]
    assert queries.record_metrics(connection, rows_given)[lost] is None
    assert row(connection, "select count(*) as n from ai_metrics where not committed") == {"n": 2}
    assert due(connection) == [token]

"""What a replay has shown: its figures, beside what was claimed and what the seed's own method would have done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import quantiles
from typing import Any, Final

from benchmarks.replay import MESSAGE_ID, Replay
from benchmarks.verdict import (
    Answer,
    PriceList,
    Replied,
    hits_offline,
    meaning_key,
    same_question,
    seed_key,
    wrong_answers,
)
from benchmarks.workload import Kind, Message
from rich.console import Group
from rich.table import Table
from sqlalchemy import Connection, text

from worker.metrics.report import make_report, percent

Json = dict[str, Any]
KINDS: Final[Mapping[Kind, str]] = {
    "talk": "greetings, thanks, menu",
    "product": "product questions",
    "answer": "yes, no, numbers",
    "advice": "comparisons, advice",
    "story": "never-repeated text",
}
#: The claims that the replay must meet, in percent.
LEAST_HIT_RATE: Final = 78.0
MOST_COST_SHARE: Final = 25.0
EXAMPLES: Final = 5
MARKS: Final = text("""
    select m.message_id, m.outcome #>> '{decision,entities,facts}' as facts,
           m.outcome #>> '{decision,entities,session}' as session, s.id::text as own_session
    from messages m left join customer_sessions s on s.customer_phone = m.customer_phone
""")
FATES: Final = text("""
    select m.message_id, m.state, m.attempts, m.last_error, m.published_at is not null as published,
           t.token is not null as under_way, t.lease_until < now() as overdue
    from messages m left join turns t on t.customer_phone = m.customer_phone
    where m.message_id = any(cast(:ids as text[]))
""")
RECORDED: Final = text("select count(*) from ai_metrics where committed")


def recorded(connection: Connection) -> int:
    """Replies whose metrics are recorded, which happens after they are out."""
    return int(connection.execute(RECORDED).scalar_one())


def fates(connection: Connection, message_ids: Sequence[str]) -> list[Json]:
    """What the database knows of these messages."""
    return [dict(row) for row in connection.execute(FATES, {"ids": list(message_ids)}).mappings()]


def measure(connection: Connection, messages: Sequence[Message], replay: Replay, sold: PriceList) -> Json:
    """All figures as they stand in economy.json: rates in percent, times in milliseconds, money in US dollars."""
    replies = _replied(connection, messages, replay)
    sources = Counter(reply.answer.source for reply in replies)
    report = make_report(connection)
    costs = report["costs"]
    return {
        "ai_cache_hit_rate": percent(sources["cache"], len(messages)),
        "cost_share_of_baseline": percent(costs["total_usd"], costs["baseline_usd"]),
        "fallback_rate": percent(sources["fallback"], len(messages)),
        "left_to_a_person": len(messages) - len(replies),
        **_wrong(replies, sold),
        "seed_method": _offline(messages),
        "meaning_known_hit_rate": percent(len(hits_offline(messages, meaning_key)), len(messages)),
        "by_kind": _by_kind(messages, replies),
        "provider_distribution": report["ai"]["ai_provider_distribution"],
        "session_cache_hit_rate": report["sessions"]["session_cache_hit_rate"],
        "cost_usd": costs["total_usd"],
        "baseline_usd": costs["baseline_usd"],
        "messages_per_s": round(len(replies) / replay.duration_s, 1),
        "latency_ms": _latency_ms(list(replay.took_s.values())),
    }


def _replied(connection: Connection, messages: Sequence[Message], replay: Replay) -> list[Replied]:
    """Every answered message with its reply as it was published, and with the mark it bears."""
    marks = {row.message_id: row for row in connection.execute(MARKS)}
    found = []
    for number, reply in sorted(replay.replies.items()):
        message, mark = messages[number], marks[MESSAGE_ID.format(number)]
        answer = Answer(reply["to"], reply["text"], reply["source"], mark.facts, mark.session)
        found.append(Replied(message, answer, mark.own_session))
    return found


def _wrong(replies: Sequence[Replied], sold: PriceList) -> Json:
    found = wrong_answers(replies, sold)
    examples = [{"asked": r.message.text, "told": r.answer.text, "wrong": reason} for r, reason in found[:EXAMPLES]]
    return {
        "wrong_answers": len(found),
        "wrong_reasons": dict(Counter(reason for _, reason in found)),
        "wrong_examples": examples,
    }


def _offline(messages: Sequence[Message]) -> Json:
    hits = hits_offline(messages, seed_key)
    wrong_hits = sum(not same_question(asked, made_for) for asked, made_for in hits)
    return {"hit_rate": percent(len(hits), len(messages)), "wrong_hits": wrong_hits}


def _by_kind(messages: Sequence[Message], replies: Sequence[Replied]) -> dict[Kind, Json]:
    written = Counter(message.kind for message in messages)
    cached = Counter(reply.message.kind for reply in replies if reply.answer.source == "cache")
    known = Counter(asked.kind for asked, _ in hits_offline(messages, meaning_key))
    seed = Counter(asked.kind for asked, _ in hits_offline(messages, seed_key))
    return {
        kind: {
            "messages": written[kind],
            "hit_rate": percent(cached[kind], written[kind]),
            "meaning_known_hit_rate": percent(known[kind], written[kind]),
            "seed_hit_rate": percent(seed[kind], written[kind]),
        }
        for kind in KINDS
    }


def _latency_ms(took_s: Sequence[float]) -> dict[str, int]:
    steps = quantiles(took_s, n=20) if len(took_s) > 1 else [*took_s] * 19
    return {"p50": round(steps[9] * 1000), "p95": round(steps[18] * 1000)}


def missed(figures: Mapping[str, Any]) -> list[str]:
    """The thresholds that were missed, a line each."""
    hit_rate, cost_share, wrong = (
        figures[name] for name in ("ai_cache_hit_rate", "cost_share_of_baseline", "wrong_answers")
    )
    lines = {
        f"AI cache hit rate {hit_rate} %, at least {LEAST_HIT_RATE:.0f} % was claimed": hit_rate < LEAST_HIT_RATE,
        f"cost share {cost_share} %, at most {MOST_COST_SHARE:.0f} % was claimed": cost_share > MOST_COST_SHARE,
        f"{wrong} wrong answers {figures['wrong_reasons']}": wrong > 0,
    }
    return [line for line, failed in lines.items() if failed]


def as_tables(figures: Mapping[str, Any]) -> Group:
    """The figures for a terminal."""
    return Group(_overview(figures), _kinds(figures["by_kind"]))


def _overview(figures: Mapping[str, Any]) -> Table:
    seed, latency = figures["seed_method"], figures["latency_ms"]
    providers = ", ".join(f"{name} {share} %" for name, share in figures["provider_distribution"].items())
    rows = (
        ("AI cache hit rate", "≥ 78 %", f"{figures['ai_cache_hit_rate']} %", f"{seed['hit_rate']} %"),
        ("wrong answers", "0", f"{figures['wrong_answers']:,}", f"{seed['wrong_hits']:,} of its hits"),
        ("cost against all gpt-3.5, uncached", "≤ 25 %", f"{figures['cost_share_of_baseline']} %", ""),
        ("cost, baseline", "", f"$ {figures['cost_usd']:.4f}, $ {figures['baseline_usd']:.4f}", ""),
        ("providers asked", "", providers, ""),
        ("fallback replies", "", f"{figures['fallback_rate']} %", ""),
        ("messages left to a person", "", f"{figures['left_to_a_person']:,}", ""),
        ("session cache hit rate", "85 %", f"{figures['session_cache_hit_rate']} %", ""),
        ("messages per second", "50", f"{figures['messages_per_s']}", ""),
        ("reply time p50 / p95", "", f"{latency['p50']:,} / {latency['p95']:,} ms", ""),
    )
    return _table(("figure", "claim", "measured", "seed's method"), rows)


def _kinds(kinds: Mapping[Kind, Json]) -> Table:
    rows = [
        (
            KINDS[kind],
            f"{found['messages']:,}",
            f"{found['hit_rate']} %",
            f"{found['meaning_known_hit_rate']} %",
            f"{found['seed_hit_rate']} %",
        )
        for kind, found in kinds.items()
    ]
    return _table(("kind", "messages", "cache hits", "asked before", "seed's hits"), rows)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table()
    for name in columns:
        table.add_column(name, justify="left" if name == columns[0] else "right")
    for row in rows:
        table.add_row(*row)
    return table

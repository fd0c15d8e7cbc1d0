"""What a replay has shown: its figures, beside what was claimed and what the seed's own method would have done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any, Final

from rich.console import Group
from rich.table import Table
from sqlalchemy import Connection, text

from bench.replay import MESSAGE_ID, Replay
from bench.unpaid import UNPAID, ceilings, why_paid
from bench.verdict import (
    Answer,
    PriceList,
    Replied,
    hits_offline,
    meaning_key,
    same_question,
    seed_key,
    wrong_answers,
)
from bench.workload import Kind, Message
from worker.language.product_words import ProductWords
from worker.telemetry.report import make_report, percent

Json = dict[str, Any]
Hits = Sequence[tuple[Message, Message]]


@dataclass(frozen=True, slots=True)
class Costs:
    """Money in US dollars: what was paid, and what all messages would have cost with gpt-3.5-turbo, uncached."""

    total_usd: float
    baseline_usd: float

    def since(self, before: Costs) -> Costs:
        """What came on top."""
        return Costs(self.total_usd - before.total_usd, self.baseline_usd - before.baseline_usd)


@dataclass(frozen=True, slots=True)
class Day:
    """One day that was replayed, what it cost with the night before it, what was sold on it, its words, and the ids of
    the sessions that its customers had, by number.
    """

    messages: Sequence[Message]
    replay: Replay
    costs: Costs
    sold: PriceList
    words: ProductWords
    sessions: Mapping[str, str]


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
           m.outcome #>> '{decision,entities,session}' as session
    from messages m
""")
SESSIONS: Final = text("select customer_phone, id::text from customer_sessions")
FATES: Final = text("""
    select m.message_id, m.state, m.attempts, m.last_error, m.published_at is not null as published,
           t.token is not null as under_way, t.lease_until < now() as overdue
    from messages m left join turns t on t.customer_phone = m.customer_phone
    where m.message_id = any(cast(:ids as text[]))
""")
#: What two caches of another key would know: the seed's, and one that knows what is asked.
KEYS: Final = (seed_key, meaning_key)
RECORDED: Final = text("select count(*) from ai_metrics where committed")


def recorded(connection: Connection) -> int:
    """Replies whose metrics are recorded, which happens after they are out."""
    return int(connection.execute(RECORDED).scalar_one())


def sessions(connection: Connection) -> dict[str, str]:
    """Ids of the sessions that there are now, by their customers' numbers."""
    return dict(connection.execute(SESSIONS).tuples().all())


def fates(connection: Connection, message_ids: Sequence[str]) -> list[Json]:
    """What the database knows of these messages."""
    return [dict(row) for row in connection.execute(FATES, {"ids": list(message_ids)}).mappings()]


def costs(connection: Connection) -> Costs:
    """What all calls so far have cost, and what they would have."""
    found = make_report(connection)["costs"]
    return Costs(found["total_usd"], found["baseline_usd"])


def measure(connection: Connection, days: Sequence[Day]) -> Json:
    """All figures as they stand in economy.json: rates in percent, times in milliseconds, money in US dollars. They are
    those of the second day; `first_day` has those of the first, which began with an empty cache, `last_day` those of
    the last, before which a new price list came. Wrong answers are those of all days.
    """
    written = [message for day in days for message in day.messages]
    replies = _replied(connection, days)
    return {
        **_of_day(days, 1, replies),
        **_wrong(replies, days),
        "first_day": _of_day(days, 0, replies),
        "last_day": _of_day(days, len(days) - 1, replies),
        "made_ahead": make_report(connection)["precache"],
        "left_to_a_person": len(written) - len(replies),
        "session_cache_hit_rate": make_report(connection)["sessions"]["session_cache_hit_rate"],
        "messages_per_s": round(len(replies) / sum(day.replay.duration_s for day in days), 1),
        "latency_ms": _latency_ms([took_s for day in days for took_s in day.replay.took_s.values()]),
    }


def _of_day(days: Sequence[Day], number: int, replies: Sequence[Replied]) -> Json:
    """What one day shows, with what was asked on the days before it in mind."""
    day, until = days[number], [message for day in days[: number + 1] for message in day.messages]
    numbers = {message.number for message in day.messages}
    own = [reply for reply in replies if reply.message.number in numbers]
    sources = Counter(reply.answer.source for reply in own)
    asked = Counter(reply.answer.provider for reply in own if reply.answer.source == "ai")
    seed_hits, known = ([hit for hit in hits_offline(until, key) if hit[0].number in numbers] for key in KEYS)
    before = [message for past in days[:number] for message in past.messages]
    return {
        "unpaid_rate": percent(sum(sources[source] for source in UNPAID), len(numbers)),
        "unpaid_at_best": ceilings(day.messages, before),
        "why_paid": why_paid(
            [reply for reply in replies if reply.message.number <= max(numbers)], day.messages, day.words
        ),
        "canned_rate": percent(sources["canned"], len(numbers)),
        "ai_cache_hit_rate": percent(sources["cache"], len(numbers)),
        "cost_share_of_baseline": percent(day.costs.total_usd, day.costs.baseline_usd),
        "cost_usd": round(day.costs.total_usd, 4),
        "baseline_usd": round(day.costs.baseline_usd, 4),
        "fallback_rate": percent(sources["fallback"], len(numbers)),
        "provider_distribution": {str(name): percent(count, asked.total()) for name, count in asked.most_common()},
        "meaning_known_hit_rate": percent(len(known), len(numbers)),
        "seed_method": {
            "hit_rate": percent(len(seed_hits), len(numbers)),
            "wrong_hits": sum(not same_question(asked_now, made_for) for asked_now, made_for in seed_hits),
        },
        "by_kind": _by_kind(day.messages, own, known, seed_hits),
    }


def _replied(connection: Connection, days: Sequence[Day]) -> list[Replied]:
    """Every answered message with its reply as it was published, and with the mark it bears."""
    marks = {row.message_id: row for row in connection.execute(MARKS)}
    found = []
    for day in days:
        for message in (message for message in day.messages if message.number in day.replay.replies):
            mark, reply = marks[MESSAGE_ID.format(message.number)], day.replay.replies[message.number]
            answer = Answer(reply["to"], reply["text"], reply["source"], reply["provider"], mark.facts, mark.session)
            found.append(Replied(message, answer, day.sessions.get(message.customer, "")))
    return found


def _wrong(replies: Sequence[Replied], days: Sequence[Day]) -> Json:
    numbers = [(day, {message.number for message in day.messages}) for day in days]
    found = [
        wrong
        for day, of_day in numbers
        for wrong in wrong_answers(replies, day.sold)
        if wrong[0].message.number in of_day
    ]
    examples = [{"asked": r.message.text, "told": r.answer.text, "wrong": reason} for r, reason in found[:EXAMPLES]]
    return {
        "wrong_answers": len(found),
        "wrong_reasons": dict(Counter(reason for _, reason in found)),
        "wrong_examples": examples,
    }


def _by_kind(messages: Sequence[Message], replies: Sequence[Replied], *hits: Hits) -> dict[Kind, Json]:
    """hits: those of a cache that knows what is asked, and those of the seed's method."""
    written = Counter(message.kind for message in messages)
    cached, canned = (
        Counter(reply.message.kind for reply in replies if reply.answer.source == source) for source in UNPAID
    )
    known, seed = (Counter(asked.kind for asked, _ in found) for found in hits)
    return {
        kind: {
            "messages": written[kind],
            "hit_rate": percent(cached[kind], written[kind]),
            "canned_rate": percent(canned[kind], written[kind]),
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
    return Group(_overview(figures), _kinds(figures["by_kind"]), _paid(figures["why_paid"]))


def beside(without: Mapping[str, Any], ahead: Mapping[str, Any]) -> Table:
    """The same days without and with replies made ahead."""
    both = (without, ahead)
    rows = [
        (f"{told} {told_day}", *(f"{_day(found, day)[name]}" for found in both))
        for told, name in (
            ("% answered without a paid call,", "unpaid_rate"),
            ("% cost against the baseline,", "cost_share_of_baseline"),
        )
        for day, told_day in DAYS_TOLD.items()
    ]
    rows += [("wrong answers, all days", *(f"{found['wrong_answers']:,}" for found in both))]
    names = {"answered": "replies made ahead by models", "hits": "of them asked for"}
    rows += [(told, *(f"{found['made_ahead'][name]:,}" for found in both)) for name, told in names.items()]
    rows += [("cost of them", *(f"$ {found['made_ahead']['cost_usd']:.4f}" for found in both))]
    return _table(("the same days", "nothing made ahead", "made ahead"), rows)


def _day(figures: Mapping[str, Any], day: str) -> Mapping[str, Any]:
    """One day's figures; the second's stand in the figures themselves."""
    found: Mapping[str, Any] = figures.get(day, figures)
    return found


def _overview(figures: Mapping[str, Any]) -> Table:
    rows = [(told, claim, *(show(_day(figures, day)) for day in DAYS_TOLD)) for told, claim, show in BY_DAY]
    latency = figures["latency_ms"]
    rows += [
        (told, claim, shown, "", "")
        for told, claim, shown in (
            ("wrong answers, all days", "0", f"{figures['wrong_answers']:,}"),
            ("messages left to a person", "", f"{figures['left_to_a_person']:,}"),
            ("session cache hit rate", "85 %", f"{figures['session_cache_hit_rate']} %"),
            ("messages per second", "50", f"{figures['messages_per_s']}"),
            ("reply time p50 / p95", "", f"{latency['p50']:,} / {latency['p95']:,} ms"),
        )
    ]
    return _table(("figure", "claim", *DAYS_TOLD.values()), rows)


def _providers(figures: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {share} %" for name, share in figures["provider_distribution"].items())


#: Days by name in the figures, and as they are told.
DAYS_TOLD: Final = {"second_day": "second day", "first_day": "first day", "last_day": "new price list"}
#: Rows of the overview: what is told, what was claimed of the second day, and how it is shown.
BY_DAY: Final[Sequence[tuple[str, str, Callable[[Mapping[str, Any]], str]]]] = (
    ("answered without a paid call", "≥ 90 %", lambda day: f"{day['unpaid_rate']} %"),
    ("a cache alone at best", "", lambda day: f"{day['unpaid_at_best']['cache']} %"),
    ("and with plain answers", "", lambda day: f"{day['unpaid_at_best']['with_plain_answers']} %"),
    ("AI cache hit rate", "≥ 78 %", lambda day: f"{day['ai_cache_hit_rate']} %"),
    ("the seed's method", "", lambda day: f"{day['seed_method']['hit_rate']} %"),
    ("its wrong answers", "", lambda day: f"{day['seed_method']['wrong_hits']:,}"),
    ("cost against all gpt-3.5-turbo, uncached", "≤ 25 %", lambda day: f"{day['cost_share_of_baseline']} %"),
    ("cost, baseline", "", lambda day: f"$ {day['cost_usd']:.4f}, $ {day['baseline_usd']:.4f}"),
    ("providers asked", "", _providers),
    ("fallback replies", "", lambda day: f"{day['fallback_rate']} %"),
)


def _paid(reasons: Mapping[str, int]) -> Table:
    return _table(("paid for", "messages"), [(reason, f"{count:,}") for reason, count in reasons.items()])


def _kinds(kinds: Mapping[Kind, Json]) -> Table:
    rows = [
        (
            KINDS[kind],
            f"{found['messages']:,}",
            f"{found['hit_rate']} %",
            f"{found['canned_rate']} %",
            f"{found['meaning_known_hit_rate']} %",
            f"{found['seed_hit_rate']} %",
        )
        for kind, found in kinds.items()
    ]
    return _table(("kind", "messages", "cache hits", "by us alone", "asked before", "seed's hits"), rows)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table()
    for name in columns:
        table.add_column(name, justify="left" if name == columns[0] else "right")
    for row in rows:
        table.add_row(*row)
    return table

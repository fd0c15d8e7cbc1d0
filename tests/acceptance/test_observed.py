"""What the running service tells of each turn: one trace and one line of log, and nothing personal in either."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import pytest
from helpers.basics import Servers
from helpers.otlp import Collected, Received, collecting
from helpers.service import Conversation, begin_anew, says, service_processes, webhook
from sqlalchemy import Engine

from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.redisdb.connect import connect_redis

ANA, BRUNO, CARLA, DARIO, EMMA = (f"549115555000{number}" for number in range(5))
STEPS = ("accept", "fetch_session", "route_ai", "update_session")
#: Spans are sent when a process ends, and not before: none may get lost there.
NEVER_MS = "600000"
#: Two machines may not agree on the time, but these processes run on one; milliseconds of rounding remain.
ROUNDING_NS = 5_000_000
#: What customers write in the story; each message has its turn in the end, the one that nobody answers too.
MESSAGES = 9


@dataclass
class Story:
    """What happened to the service from its start to its end."""

    replies: dict[str, dict[str, Any]] = field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    accepted_ids: dict[str, list[int]] = field(default_factory=dict)
    collected: Collected = field(default_factory=Collected)
    log: str = ""

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of the log."""
        return [json.loads(line) for line in self.log.splitlines()]

    def line(self, message_id: str) -> dict[str, Any]:
        """The line of the turn that answered a message."""
        token = self.replies[message_id]["reply_id"]
        (found,) = [line for line in self.lines if line["event"] == "turn_ended" and line["token"] == token]
        return found

    def trace(self, message_id: str) -> dict[str, list[Received]]:
        """The spans of the turn that answered a message."""
        return self.collected.trace(self.replies[message_id]["reply_id"])


@pytest.fixture(scope="module")
def story(servers: Servers, shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A conversation with the service, told after all of its processes have ended."""
    directory = tmp_path_factory.mktemp("observed")
    with (
        Simulator() as simulator,
        collecting() as (endpoint, collected),
        connect_redis(servers.redis_url, 5.0) as client,
    ):
        tracing = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{endpoint}/",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-shop=secret%20word",
            "OTEL_BSP_SCHEDULE_DELAY": NEVER_MS,
        }
        told = Story(collected=collected)
        # Before it starts: what others have left would have lines and traces too.
        client.flushall()
        begin_anew(servers, shared_engine, client)
        with service_processes(servers, directory, {**simulator.base_urls, **tracing}) as (_, log):
            conversation = Conversation(shared_engine, client, log, Gateway(client))
            converse(conversation, simulator)
            remember(told, conversation)
        told.log = log.read_text()
    return told


def converse(conversation: Conversation, simulator: Simulator) -> None:
    """A call, a cached reply, a call for two, a canned reply, a person's turn, failures, and what cannot be read."""

    def say(*messages: tuple[str, str, str]) -> None:
        conversation.gateway.send(webhook(*(says(f"wamid.{name}", phone, body) for name, phone, body in messages)))

    def hear(*names: str) -> None:
        conversation.wait_until(lambda: {f"wamid.{name}" for name in names} <= set(conversation.answered()))

    say(("call", ANA, "hola"))
    hear("call")
    say(("cache", BRUNO, "HOLA!!"))
    simulator.set("all", latency_ms=(400, 400))
    say(("pair1", ANA, "tienen yerba zorzalito?"), ("pair2", CARLA, "tienen yerba zorzalito?"))
    hear("cache", "pair1", "pair2")
    say(("burst1", EMMA, "agregame 2 leches"), ("burst2", EMMA, "y 3 panes"))
    hear("burst1", "burst2")
    say(("person", DARIO, "quiero hablar con una persona"))
    hear("person")
    say(("silent", DARIO, "hay alguien?"))
    simulator.set("all", status=500, latency_ms=(5, 5))
    say(("failing", BRUNO, "quiero cambiar la direccion a Avenida Zorzal 123"))
    hear("failing")
    conversation.gateway.send("{")
    conversation.wait_until(lambda: len(conversation.rejections) == 1)
    count = "select count(*) from ai_metrics"
    ended = "select count(reply_id), count(distinct reply_id) from messages"
    conversation.wait_until(lambda: conversation.sql(ended)[0][0] == MESSAGES)
    conversation.wait_until(lambda: conversation.sql(count)[0][0] >= conversation.sql(ended)[0][1])


def remember(told: Story, conversation: Conversation) -> None:
    """What the gateway and PostgreSQL know in the end."""
    for reply in conversation.replies:
        told.replies |= dict.fromkeys(reply["in_reply_to"], reply)
    told.metrics = {str(row.reply_id): row._asdict() for row in conversation.sql("select * from ai_metrics")}
    ids = conversation.sql("select reply_id, array_agg(id order by id) from messages group by reply_id")
    told.accepted_ids = {str(reply_id): found for reply_id, found in ids}


def test_every_line_of_the_log_is_json(story: Story) -> None:
    """From the first line of every process to its last; each says what happened, how grave it is, when and where."""
    assert len(story.lines) > 20
    assert all({"event", "level", "timestamp", "logger"} <= line.keys() for line in story.lines)
    assert {line["logger"] for line in story.lines} >= {"worker.intake.intake", "celery.beat", "celery.apps.worker"}


def test_every_turn_has_one_line(story: Story) -> None:
    """Neither more nor less, those without a reply included."""
    told = [line["token"] for line in story.lines if line["event"] == "turn_ended"]
    assert len(told) >= 7
    assert Counter(told) == Counter(story.metrics.keys())
    assert {line["source"] for line in story.lines if line["event"] == "turn_ended"} == {
        "ai",
        "cache",
        "canned",
        "closed",
        "fallback",
    }


def test_the_line_tells_what_was_recorded(story: Story) -> None:
    """Source, provider, cost, times and ids are those of PostgreSQL."""
    for line in (line for line in story.lines if line["event"] == "turn_ended"):
        row = story.metrics[line["token"]]
        for name in ("source", "provider", "model", "intent", "complexity", "session_cache", "messages", "calls"):
            assert line[name] == row[name], name
        assert line["cost_usd"] == row["cost_microusd"] / 1_000_000
        assert line["total_ms"] == row["reply_latency_ms"]
        assert line["message_ids"] == story.accepted_ids[line["token"]]
        assert line["session_id"]
    assert story.line("wamid.call")["cost_usd"] > 0


def test_the_steps_are_timed(story: Story) -> None:
    """Those that the turn went through, in milliseconds; together they took no longer than the whole."""
    cached, called = story.line("wamid.cache"), story.line("wamid.pair1")
    assert set(cached["steps_ms"]) == {*STEPS}
    assert set(called["steps_ms"]) == {*STEPS, "call_provider"}
    assert called["steps_ms"]["call_provider"] >= 400
    for line in (cached, called):
        assert all(took_ms >= 0 for took_ms in line["steps_ms"].values())
        assert 0 < sum(line["steps_ms"].values()) <= line["total_ms"] + 20


def test_one_id_leads_from_acceptance_to_the_reply(story: Story) -> None:
    """The token that intake names is the reply's id and the turn's."""
    accepted = [
        *chain.from_iterable(line.get("tokens", ()) for line in story.lines if line["event"] == "batch_accepted")
    ]
    for message_id in ("wamid.call", "wamid.cache", "wamid.failing"):
        assert story.replies[message_id]["reply_id"] in accepted


def test_every_turn_is_one_trace(story: Story) -> None:
    """Its spans are the steps it went through, all under one that lasts from acceptance to the record."""
    assert {span.trace_id for span in story.collected.spans} == {token.replace("-", "") for token in story.metrics}
    for name, steps in (("cache", STEPS), ("call", (*STEPS, "call_provider")), ("person", STEPS)):
        trace = story.trace(f"wamid.{name}")
        assert set(trace) - {"chat gemini-3.5-flash-lite"} == {"turn", *steps}
        (turn,) = trace["turn"]
        assert turn.parent_id == ""
        for (span,) in (trace[step] for step in steps):
            assert span.parent_id == turn.span_id
            assert turn.began_ns - ROUNDING_NS <= span.began_ns <= span.ended_ns <= turn.ended_ns + ROUNDING_NS


def test_the_span_of_a_turn_tells_how_it_ended(story: Story) -> None:
    """What its line says, without its ids."""
    (turn,) = story.trace("wamid.call")["turn"]
    line = story.line("wamid.call")
    assert turn.kind == "SPAN_KIND_CONSUMER"
    assert turn.attributes["chasqui.source"] == "ai"
    assert turn.attributes["chasqui.provider"] == "gemini-flash"
    assert turn.attributes["chasqui.cost_usd"] == line["cost_usd"]
    assert (turn.ended_ns - turn.began_ns) / 1e6 >= line["total_ms"]


def test_a_call_follows_the_conventions_for_generative_ai(story: Story) -> None:
    """Provider, model, and the tokens that were billed; it is part of the step that made it."""
    trace = story.trace("wamid.call")
    (call,), (step,) = trace["chat gemini-3.5-flash-lite"], trace["call_provider"]
    row = story.metrics[story.replies["wamid.call"]["reply_id"]]
    assert (call.parent_id, call.kind, call.failed) == (step.span_id, "SPAN_KIND_CLIENT", False)
    assert call.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.system": "gcp.gemini",
        "gen_ai.request.model": "gemini-3.5-flash-lite",
        "gen_ai.request.max_tokens": 700,
        "gen_ai.usage.input_tokens": row["prompt_tokens"],
        "gen_ai.usage.cache_read.input_tokens": row["cached_tokens"],
        "gen_ai.usage.output_tokens": row["completion_tokens"],
        "server.address": "127.0.0.1",
        "chasqui.provider": "gemini-flash",
    }
    assert row["prompt_tokens"] > 0
    assert step.began_ns - ROUNDING_NS <= call.began_ns < call.ended_ns <= step.ended_ns + ROUNDING_NS


def test_a_call_for_two_is_in_the_trace_of_who_asked(story: Story) -> None:
    """Both went through the step; one of them made the call."""
    traces = [story.trace(f"wamid.pair{number}") for number in (1, 2)]
    calls = [span for trace in traces for name, spans in trace.items() if name.startswith("chat ") for span in spans]
    assert len(calls) == 1
    assert all("call_provider" in trace for trace in traces)
    asked = [trace for trace in traces if trace["turn"][0].attributes["chasqui.source"] == "ai"]
    assert [trace["turn"][0].trace_id for trace in asked] == [calls[0].trace_id]


def test_calls_that_fail_say_why(story: Story) -> None:
    """One span per call, each with its kind of error."""
    trace = story.trace("wamid.failing")
    calls = [span for name, spans in trace.items() if name.startswith("chat ") for span in spans]
    assert len(calls) >= 3
    assert {call.attributes["error.type"] for call in calls} == {"unavailable"}
    assert all(call.failed for call in calls)
    assert {call.attributes["gen_ai.provider.name"] for call in calls} == {"gcp.gemini", "deepseek", "openai"}
    assert trace["turn"][0].attributes["chasqui.source"] == "fallback"


def test_the_collector_is_told_who_sends(story: Story) -> None:
    """Where OTLP/HTTP expects it, with the headers that were set, from intake and both kinds of workers."""
    assert story.collected.paths == {"/v1/traces"}
    assert {headers["x-shop"] for headers in story.collected.headers} == {"secret word"}
    assert {resource["service.name"] for resource in story.collected.resources} == {"chasqui"}
    assert len({resource["process.pid"] for resource in story.collected.resources}) >= 3


@pytest.mark.parametrize(
    "secret", [ANA, DARIO, "549115555", "wamid.", "zorzal", "Zorzal", "leches", "persona", "sk-test", "secret word"]
)
def test_nothing_personal_is_told(story: Story, secret: str) -> None:
    """No phone number, WhatsApp id, text or key, neither in a line nor in a span."""
    assert secret not in story.log
    assert not any(secret.encode() in body for body in story.collected.bodies)

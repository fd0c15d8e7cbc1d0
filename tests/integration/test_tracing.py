"""Tracing: off it costs nothing, on it never stands in the way, and a share of turns can be traced."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import redis
from helpers.answering import completer_on, providers_of, request_of
from helpers.away import silent_port
from helpers.basics import GUARD_S, REPOSITORY, ends
from helpers.otlp import Collected, collecting
from helpers.turns import decided, plan_of

from worker.devkit.simulator import Simulator
from worker.providers.client import trace_call
from worker.providers.providers_file import load_providers
from worker.replies.prompt import AiRequest
from worker.runtime.environment import environment
from worker.settings import settings
from worker.telemetry import tracing
from worker.telemetry.otlp import is_wanted

ONE_TURN = """
import sys
from worker import tasks
from worker.intake import intake
from worker.providers.client import trace_call
from worker import steps
from worker.telemetry import tracing
from worker.replies.prompt import AiRequest
from worker.providers.providers_file import load_providers
from worker.settings import settings
tracing.steps("fetch_session", {"3f2b": 0.0})
tracing.turn("3f2b", {}, 0.0)
provider = load_providers(settings())[0]
trace_call(provider, provider.models[0], AiRequest("s", "u", caller="3f2b"), 0.0, None)
tracing.flush()
costly = ("opentelemetry.exporter", "opentelemetry.sdk.trace", "worker.telemetry.otlp")
sys.exit(any(name.startswith(costly) for name in sys.modules))
"""


@pytest.fixture
def collected() -> Iterator[Collected]:
    """What a collector got, with an environment that names it."""
    with collecting() as (endpoint, collected), environment({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}):
        yield collected


def test_off_nothing_is_imported() -> None:
    """Without an endpoint a process never loads what makes and sends spans, whatever it goes through. (redis-py loads
    OpenTelemetry's metrics by itself where they are installed.)
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run([sys.executable, "-c", ONE_TURN], cwd=REPOSITORY, env=ours, check=False, timeout=GUARD_S)
    assert done.returncode == 0
    probe = ONE_TURN.replace("tracing.flush()", "import worker.telemetry.otlp")
    assert subprocess.run([sys.executable, "-c", probe], cwd=REPOSITORY, env=ours, check=False).returncode == 1


def test_a_step_that_fails_says_so(collected: Collected) -> None:
    """With the kind of error, for each of its turns."""
    tokens, began_s = [str(uuid4()), str(uuid4())], time.time() - 0.5
    tracing.steps("update_session", dict.fromkeys(tokens, began_s), "OperationalError")
    most_s = time.time() - began_s
    tracing.flush()
    spans = [span for token in tokens for span in collected.trace(token)["update_session"]]
    assert [(span.failed, span.attributes["error.type"]) for span in spans] == [(True, "OperationalError")] * 2
    assert all(0.5 <= (span.ended_ns - span.began_ns) / 1e9 <= most_s for span in spans)


def test_a_call_is_in_the_trace_of_the_turn_that_asks(
    collected: Collected, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where another turn asks for the very same at the same time; repeated and failed calls too."""
    monkeypatch.setenv("NO_PROXY", "*")
    tokens = [str(uuid4()), str(uuid4())]
    plan = plan_of("hola")
    with Simulator() as simulator, completer_on(redis_client, providers_of(simulator)) as completer:
        simulator.set("gemini", mode="garbage", latency_ms=(100, 100))
        asks = [request_of(plan, token=token, deadline=time.monotonic() + 20) for token in tokens]
        with ThreadPoolExecutor(len(asks)) as pool:
            assert [outcome.calls for outcome in pool.map(completer.complete, asks)] == [3, 3]
    tracing.flush()
    for token in tokens:
        trace = collected.trace(token)
        assert {name: len(calls) for name, calls in trace.items()} == {
            "chat gemini-3.5-flash-lite": 2,
            "chat gpt-6-luna": 1,
        }
        assert len({call.span_id for calls in trace.values() for call in calls}) == 3


def test_a_call_that_no_turn_makes_is_in_no_trace(collected: Collected) -> None:
    """As the doctor's."""
    provider = load_providers(settings())[1]
    asked = AiRequest("instructions", "{}", caller=str(uuid4()))
    trace_call(provider, provider.models[0], AiRequest("instructions", "{}"), time.time(), None)
    trace_call(provider, provider.models[0], asked, time.time(), None, "timeout")
    tracing.flush()
    (span,) = collected.spans
    assert (span.name, span.attributes["error.type"]) == ("chat deepseek-flash", "timeout")
    assert span.attributes["gen_ai.provider.name"] == "deepseek"


def test_a_turn_without_a_price_has_a_span(collected: Collected) -> None:
    """What is unknown of it is left out."""
    token = str(uuid4())
    tracing.turn(token, {"source": decided().source, "provider": None, "cost_usd": 0.0}, time.time() - 2)
    tracing.flush()
    (span,) = collected.trace(token)["turn"]
    assert span.attributes == {"chasqui.source": "ai", "chasqui.cost_usd": 0.0}
    assert 2 <= (span.ended_ns - span.began_ns) / 1e9 < 4


def test_a_share_of_the_turns_is_traced() -> None:
    """The same ones in every process, about as many as were wanted; none or all at the ends."""
    tokens = [str(uuid4()) for _ in range(2_000)]
    wanted = [token for token in tokens if is_wanted(token, 0.25)]
    assert 350 < len(wanted) < 650
    assert wanted == [token for token in wanted if is_wanted(token, 0.5)]
    assert not any(is_wanted(token, 0.0) for token in tokens)
    assert all(is_wanted(token, 1.0) for token in (*tokens, "ffffffff-ffff-4fff-bfff-ffffffffffff"))


def test_the_share_holds_for_all_spans() -> None:
    """Nothing leaves the process for a turn that is not wanted."""
    with collecting() as (endpoint, collected):
        share = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_TRACES_SAMPLER_ARG": "0"}
        with environment(share):
            tracing.steps("accept", {str(uuid4()): time.time()})
            tracing.turn(str(uuid4()), {}, time.time())
            tracing.flush()
    assert collected.spans == []


def test_nobody_waits_for_the_collector() -> None:
    """Spans are taken at once; whether they can be sent is found out in the background, one time limit for all."""
    with (
        silent_port() as port,
        environment({"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}),
    ):
        ends(lambda: [tracing.steps("route_ai", {str(uuid4()): time.time()}) for _ in range(100)])
        tracing.flush()

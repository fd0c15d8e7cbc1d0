"""A real Prometheus watches the running service: every query of the dashboard and every alert has its data."""

from __future__ import annotations

import json
import math
import re
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from celery import Celery
from helpers import yaml_text
from helpers.basics import GUARD_S, REPOSITORY, Servers
from helpers.command_line import QUICK_UP, run, started, urls_of
from helpers.forked import Forked
from helpers.scraped import Scraped, get, needs_prometheus
from helpers.service import FLOW_PROCESSES, Service, begin_anew, forget, running, says, service_processes, webhook
from sqlalchemy import Engine, text

from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.providers.providers_file import load_providers
from worker.redisdb.connect import connect_redis
from worker.runtime.embedded.server import free_port
from worker.runtime.supervisor import chasqui_program
from worker.settings import Settings, settings

MONITORING = REPOSITORY / "monitoring"
RULES: list[dict[str, Any]] = yaml_text.load((MONITORING / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
PANELS: list[dict[str, Any]] = json.loads((MONITORING / "grafana" / "chasqui.json").read_text("utf-8"))["panels"]
QUERIES = {
    f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel.get("targets", ())
}
SELECTOR = re.compile(r"\b(?:chasqui_\w+(?:\{[^}]*\})?|up\{[^}]*\})")
#: What Grafana puts for $__rate_interval; longer than the whole story below.
RATE_INTERVAL = "5m"
PHONES = tuple(f"54911000077{number:02}" for number in range(20))
GREETINGS = ("hola", "Hola!!", "HOLA", "holaaa", "hola")
#: All that are configured; each is probed once.
MODELS = sum(len(provider.models) for provider in load_providers(Settings()))
#: Each a request of its own, and so a call of a provider.
QUESTIONS = ("agregame 2 leches descremadas", "tenes yerba?", "quiero 3 gaseosas", "hay pan lactal?")


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    port: int

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query; fails where Prometheus refuses it."""
        answer = self._api(f"query?query={quote(expression)}")
        return list(answer["result"])

    def rules(self) -> list[dict[str, Any]]:
        """All alerting rules with their state."""
        return [rule for group in self._api("rules")["groups"] for rule in group["rules"]]

    def _api(self, path: str) -> dict[str, Any]:
        answer = get(self.port, f"/api/v1/{path}").json
        assert answer["status"] == "success", answer
        return dict(answer["data"])


@contextmanager
def watching(directory: Path, target_port: int) -> Iterator[Prometheus]:
    """A Prometheus with the project's rules that scrapes the exporter twice a second."""
    config = yaml_text.load((MONITORING / "prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms", "scrape_timeout": "500ms"}
    config["rule_files"] = [str(MONITORING / "alerts.yml")]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{target_port}"]}]
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = ("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn")
    with (directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], cwd=directory, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            wait_for_page(port, "/-/ready", process)
            yield Prometheus(port)
        finally:
            process.terminate()
            process.wait(GUARD_S)


def wait_for_page(port: int, path: str, process: subprocess.Popen[Any] | Forked, timeout_s: float = GUARD_S) -> None:
    """Returns when the page answers 200; fails after the time, or when the process has ended."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if get(port, path).status == 200:
                return
        except OSError:
            pass
        assert process.poll() is None, "it has ended"
        assert time.monotonic() < deadline, f"{path} does not answer"
        time.sleep(0.05)  # until the socket is there, there is nothing to wait on


@dataclass(frozen=True, slots=True)
class Watched:
    """The service after a small story, which Prometheus has seen from its beginning to its end."""

    service: Service
    prometheus: Prometheus
    exporter_port: int

    def scrape(self) -> Scraped:
        """What the exporter says now."""
        return get(self.exporter_port, "/metrics").metrics


@pytest.fixture(scope="module")
def watched(servers: Servers, shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Service, exporter and Prometheus, after the story."""
    directory, port = tmp_path_factory.mktemp("monitoring"), free_port()
    given = {"METRICS_PORT": str(port), "AI_MONTHLY_BUDGET_USD": "1", "AI_DAILY_BUDGET_USD": "0.5"}
    with (
        Simulator() as simulator,
        connect_redis(servers.redis_url, timeout_s=5.0) as client,
        service_processes(servers, directory, simulator.base_urls | given, FLOW_PROCESSES) as (supervisor, log),
        (directory / "metrics.log").open("wb") as output,
        running([chasqui_program("metrics")], output) as exporter,
    ):
        forget(client, "metrics:*", "budget:*", "whatsapp:*")
        begin_anew(servers, shared_engine, client)
        with shared_engine.connect() as connection:
            connection.execute(text("truncate metric_totals"))
        service = Service(shared_engine, client, log, Gateway(client), supervisor=supervisor, simulator=simulator)
        wait_for_page(port, "/readyz", exporter.children[0].process)
        with watching(directory, port) as prometheus:
            seen = Watched(service, prometheus, port)
            service.wait_until(lambda: bool(prometheus.query("chasqui_up")))
            tell_the_story(seen)
            yield seen


def tell_the_story(seen: Watched) -> None:
    """Replies of every source, a message that needs none, a payload that cannot be read, a cleanup; all scraped."""
    service = seen.service
    service.simulator.set("all", mode="ok", status=None, error_rate=None, latency_ms=(5, 20))
    for number, said in enumerate((*GREETINGS, *QUESTIONS)):
        ask(service, f"wamid.watched.{number}", PHONES[number], said)
    service.simulator.set("all", status=500)
    ask(service, "wamid.watched.fallback", PHONES[10], "busco arroz integral")
    service.simulator.set("all", status=None)
    silent = {"id": "wamid.watched.closed", "from": PHONES[11], "timestamp": "1763800000", "type": "reaction"}
    service.gateway.send(webhook(silent | {"reaction": {"message_id": "wamid.x", "emoji": "ok"}}))
    service.gateway.send("{")
    with Celery(broker=settings().required("redis_url"), set_as_current=False) as beat:
        beat.send_task("worker.cleanup_expired_sessions", queue="periodic")
        beat.send_task("worker.probe_models", queue="ai")
    service.wait_until(lambda: seen.scrape().value("last_cleanup_timestamp_seconds") > 0)
    service.wait_until(lambda: len(seen.prometheus.query("chasqui_model_probe_timestamp_seconds")) == MODELS)
    service.wait_until(lambda: ended(seen) == 11 and series_sum(seen, "chasqui_messages_ended_total") == 11)


def ended(seen: Watched) -> float:
    """Messages that have ended, according to the exporter."""
    return sum(seen.scrape().all("messages_ended_total").values())


def series_sum(seen: Watched, name: str) -> float:
    """The same according to Prometheus."""
    return sum(float(series["value"][1]) for series in seen.prometheus.query(name))


def ask(service: Service, message_id: str, phone: str, said: str) -> None:
    """One message and its reply."""
    service.gateway.send(webhook(says(message_id, phone, said)))
    service.wait_until(lambda: message_id in service.answered())


@needs_prometheus
@pytest.mark.parametrize("name", QUERIES)
def test_every_query_of_the_dashboard_has_data(watched: Watched, name: str) -> None:
    """It is valid, and at least one of its series has a number; after a scrape that was missed, with the next."""
    query = QUERIES[name].replace("$__rate_interval", RATE_INTERVAL)

    def has_data() -> bool:
        return any(math.isfinite(float(each["value"][1])) for each in watched.prometheus.query(query))

    watched.service.wait_until(has_data)


@needs_prometheus
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_is_evaluated_on_data(watched: Watched, rule: dict[str, Any]) -> None:
    """Prometheus evaluates it without an error, and everything it asks for is there, zero or not; after a scrape that
    was missed, with the next.
    """
    watched.service.wait_until(lambda: all(found["health"] != "unknown" for found in watched.prometheus.rules()))
    (found,) = [found for found in watched.prometheus.rules() if found["name"] == rule["alert"]]
    assert (found["health"], found.get("lastError", "")) == ("ok", "")
    selectors = SELECTOR.findall(rule["expr"])
    assert selectors
    watched.service.wait_until(lambda: all(watched.prometheus.query(selector) for selector in selectors))


@needs_prometheus
def test_only_what_happened_raises_an_alert(watched: Watched) -> None:
    """The refused payload does; what has its time to pass or did not happen does not fire."""

    def firing() -> set[str]:
        return {rule["name"] for rule in watched.prometheus.rules() if rule["state"] == "firing"}

    watched.service.wait_until(lambda: bool(firing()))
    assert firing() == {"ChasquiRejected"}


@needs_prometheus
def test_figures_agree_with_the_gateway_and_with_postgresql(watched: Watched) -> None:
    """Messages by source, replies by time, calls and cost: counted apart, and the same."""
    service, seen = watched.service, watched.scrape()
    replies = Counter(reply["source"] for reply in service.replies)
    assert set(replies) == {"ai", "cache", "fallback"}
    endings = {labels: value for labels, value in seen.all("messages_ended_total").items() if value}
    assert endings == {(source, "answered"): count for source, count in replies.items()} | {("closed", "closed"): 1}
    for source, count in replies.items():
        assert seen.value("reply_latency_seconds_count", source=source) == count
    latency_ms, cost_microusd = service.sql(
        "select sum(reply_latency_ms) filter (where source <> 'closed'), sum(cost_microusd) from ai_metrics"
    )[0]
    assert sum(seen.all("reply_latency_seconds_sum").values()) == pytest.approx(float(latency_ms) / 1000)
    assert sum(seen.all("cost_dollars_total").values()) == pytest.approx(float(cost_microusd) / 1e6)
    assert seen.value("budget_left_dollars", period="day") == pytest.approx(0.5 - float(cost_microusd) / 1e6)
    calls = seen.all("provider_calls_total")
    assert sum(value for (_, outcome, _), value in calls.items() if outcome == "ok") == replies["ai"]
    assert sum(value for (_, outcome, _), value in calls.items() if outcome == "unavailable") == 3
    assert sum(seen.all("provider_latency_seconds_count").values()) == replies["ai"]
    answer_cache = {
        labels[1]: value for labels, value in seen.all("cache_requests_total").items() if "ai_response" in labels
    }
    # A process sends what it has counted with its next look at the cache; one that rests keeps its last.
    assert replies["cache"] - FLOW_PROCESSES <= answer_cache["hit"] <= replies["cache"]


@needs_prometheus
def test_nothing_that_is_scraped_names_a_customer(watched: Watched) -> None:
    """Neither their numbers nor their words, nor a key."""
    text = get(watched.exporter_port, "/metrics").text
    secrets = (*PHONES, *GREETINGS, *QUESTIONS, "arroz", "wamid", "sk-test", settings().required("database_url"))
    assert [secret for secret in secrets if secret in text] == []


def test_the_exporter_comes_with_the_service(servers: Servers, tmp_path: Path) -> None:
    """`chasqui up` starts it, on the port of the settings."""
    port = free_port()
    with started(QUICK_UP, tmp_path, urls_of(servers) | {"METRICS_PORT": str(port)}) as up:
        wait_for_page(port, "/readyz", up.process, 60)
        assert get(port, "/metrics").metrics.value("up", what="postgresql") == 1
        assert up.end() == 0


@pytest.mark.parametrize(("port", "reason"), [("0", "METRICS_PORT is 0"), ("", "Address already in use")])
def test_a_port_that_cannot_be_had_is_one_clear_line(servers: Servers, tmp_path: Path, port: str, reason: str) -> None:
    """And no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        given = urls_of(servers) | {"METRICS_PORT": port or str(taken.getsockname()[1])}
        done = run(tmp_path, "metrics", **given)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(f"Error: .*{reason}.*\n", done.stderr)

"""What becomes of customers and operators when models are withdrawn, change, or are answered by others."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from helpers.basics import Servers
from helpers.command_line import run_in
from helpers.model_apis import FIRST, GONE, KEY, MODELS, NAMES, SUCCESSOR, ModelApis, model_apis
from helpers.scraped import Scraped, get
from helpers.service import Conversation, begin_anew, forget, running, says, service_processes, webhook
from sqlalchemy import Engine

from worker.devkit.demo import KEYS
from worker.devkit.gateway import Gateway
from worker.redisdb.connect import connect_redis
from worker.redisdb.keys import MODEL_CIRCUIT
from worker.runtime.embedded.server import free_port
from worker.runtime.supervisor import chasqui_program

#: For each provider a message for which it is asked first, and which no cache may answer.
SAID = {"gpt": "y de esos dos qué me conviene más?", "deepseek": "agregame 2 leches", "gemini-flash": "2"}
CUSTOMERS = 30
SECOND = {provider: models[1] for provider, models in MODELS.items()}
CIRCUITS = [MODEL_CIRCUIT.key(name.replace("/", ":")) for name in NAMES]
ALL = [model for models in MODELS.values() for model in models]
#: The whole fleet knows within a second after a model's first refusal; the rest is for a machine that is busy.
KNOWN_WITHIN_S = 5.0


@dataclass(slots=True)
class Shop:
    """The running service in front of providers in some state."""

    conversation: Conversation
    apis: ModelApis
    directory: Path
    exporter_port: int
    sent: list[str] = field(default_factory=list)

    def begin(self, states: dict[str, str]) -> None:
        """A new case: models in these states, every circuit closed, nothing cached or counted.

        Who answers for others stays noted: a process notes that once in ten minutes, and a case may be tried twice.
        """
        redis = self.conversation.redis
        self.conversation.wait_until(self._is_quiet)
        noted = {key: found for key in CIRCUITS if (found := redis.hget(key, "answered_by"))}
        forget(redis, "ai_circuit:*", "ai_response:*", "flight:*", "session:*", "metrics:calls:*")
        for key, name in noted.items():
            redis.hset(key, mapping={"answered_by": name, "answered_at": int(time.time())})
        self.conversation.sql("delete from events returning id")
        self.conversation.sql("delete from ai_metrics returning id")
        self.apis.set(states)

    def _is_quiet(self) -> bool:
        unrecorded = (
            "select from messages where published_at is null union all select from turns where token is not null"
        )
        return self.conversation.sql(unrecorded) == []

    def ask_all(self, number: int = CUSTOMERS) -> list[dict[str, Any]]:
        """Replies to as many customers, who all write at once, once each of them has one and its cost is recorded."""
        ids = [f"wamid.models.{len(self.sent) + each}" for each in range(number)]
        texts = [list(SAID.values())[each % len(SAID)] for each in range(number)]
        phones = [f"54911{int(each.rpartition('.')[2]):08}" for each in ids]
        bodies = [webhook(says(*message)) for message in zip(ids, phones, texts, strict=True)]
        self.sent += ids
        self.conversation.gateway.send(*bodies)
        self.conversation.wait_until(lambda: set(ids) <= set(self.conversation.answered()))
        self.conversation.wait_until(self._is_quiet)
        return [reply for reply in self.conversation.replies if set(ids) & set(reply["in_reply_to"])]

    def command(self, *arguments: str) -> tuple[int, Any]:
        """Exit code and JSON of a command in the surroundings of the service."""
        done = run_in(os.environ, self.directory, *arguments, "--json")
        assert KEY not in done.stdout + done.stderr
        assert done.stdout, f"{arguments}: exit code {done.returncode}, {done.stderr or 'not a word'}"
        return done.returncode, json.loads(done.stdout)

    def circuits(self) -> dict[str, dict[str, Any]]:
        """`chasqui circuits --json` by PROVIDER or PROVIDER/MODEL."""
        _, found = self.command("circuits")
        return {"/".join(filter(None, (each["provider"], each["model"]))): each for each in found}

    def checks(self) -> tuple[int, dict[str, dict[str, Any]]]:
        """`chasqui doctor --json`: its exit code, and its findings by check."""
        code, found = self.command("doctor")
        return code, {each["check"]: each for each in found["checks"]}

    def metrics(self) -> Scraped:
        """What the exporter says now."""
        return get(self.exporter_port, "/metrics").metrics

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Lines of the log that tell this."""
        lines = (json.loads(line) for line in self.conversation.log.read_text("utf-8").splitlines())
        return [line for line in lines if line["event"] == event]


@pytest.fixture(scope="module")
def shop(servers: Servers, shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The service, its exporter, and three providers that know nothing of it."""
    directory, port = tmp_path_factory.mktemp("models"), free_port()
    with (
        model_apis() as apis,
        connect_redis(servers.redis_url, timeout_s=5.0) as client,
        service_processes(
            servers, directory, dict.fromkeys(KEYS, KEY) | apis.base_urls | {"METRICS_PORT": str(port)}
        ) as (_, log),
        (directory / "metrics.log").open("wb") as output,
        running([chasqui_program("metrics")], output),
    ):
        begin_anew(servers, shared_engine, client)
        yield Shop(Conversation(shared_engine, client, log, Gateway(client)), apis, directory, port)


def answered_by(replies: list[dict[str, Any]]) -> Counter[str]:
    """Replies by the model that says so, or by their source where none did."""
    return Counter(r["text"].removeprefix("Hola de ") if r["source"] == "ai" else r["source"] for r in replies)


def dead_calls(shop: Shop) -> list[Any]:
    """Calls that were refused, after a look that none began when the fleet knew of its model."""
    refused = [call for call in shop.apis.asked if call.status != 200]
    known_s: dict[str, float] = {}
    for call in refused:
        known_s[call.model] = min(call.ended_s, known_s.get(call.model, call.ended_s))
    assert [call for call in refused if call.began_s > known_s[call.model] + KNOWN_WITHIN_S] == []
    return refused


def test_all_is_well(shop: Shop) -> None:
    """Everybody is answered by the first model of the provider that is asked first, for one call."""
    shop.begin({})
    assert answered_by(shop.ask_all()) == dict.fromkeys(FIRST.values(), CUSTOMERS // 3)
    assert shop.apis.calls() == dict.fromkeys(FIRST.values(), CUSTOMERS // 3)


@pytest.mark.parametrize("state", ["gone", "parameters"])
def test_first_models_that_are_gone_when_all_write_at_once(shop: Shop, state: str) -> None:
    """Nobody gets a fallback: the second models answer; only calls under way are lost, and later none."""
    shop.begin(dict.fromkeys(FIRST.values(), state))
    assert answered_by(shop.ask_all()) == dict.fromkeys(SECOND.values(), CUSTOMERS // 3)
    assert len(dead_calls(shop)) <= CUSTOMERS
    shop.apis.asked.clear()
    assert answered_by(shop.ask_all()) == dict.fromkeys(SECOND.values(), CUSTOMERS // 3)
    assert shop.apis.calls() == dict.fromkeys(SECOND.values(), CUSTOMERS // 3)


@pytest.mark.parametrize(("state", "kind"), [("gone", "model_gone"), ("parameters", "model_unfit")])
def test_first_models_that_cannot_be_asked(shop: Shop, state: str, kind: str) -> None:
    """Each costs one call, of the first customer whom it should have answered, who does not notice."""
    shop.begin(dict.fromkeys(FIRST.values(), state))
    replies = [*shop.ask_all(len(FIRST)), *shop.ask_all(CUSTOMERS - len(FIRST))]
    assert answered_by(replies) == dict.fromkeys(SECOND.values(), CUSTOMERS // 3)
    assert Counter(call.model for call in dead_calls(shop)) == dict.fromkeys(FIRST.values(), 1)
    circuits = shop.circuits()
    gone = {f"{provider}/{model}" for provider, model in FIRST.items()}
    assert {name for name, circuit in circuits.items() if circuit["state"] != "closed"} == gone
    assert {circuits[name]["reason"] for name in gone} == {kind}
    code, checks = shop.checks()
    assert code == 0
    assert {name for name, check in checks.items() if check["state"] != "ok"} - {"beat"} == {
        f"{what} {name}" for what in ("model", "circuit") for name in gone
    }


def test_all_models_gone(shop: Shop) -> None:
    """Everybody gets the fallback, each model costs one call, and whoever looks finds its provider's words."""
    shop.begin(dict.fromkeys(ALL, "gone"))
    replies = [*shop.ask_all(1), *shop.ask_all(CUSTOMERS - 1)]
    assert answered_by(replies) == {"fallback": CUSTOMERS}
    lost = dead_calls(shop)
    assert Counter(call.model for call in lost) == dict.fromkeys(ALL, 1)
    told = {f"{provider}/{model}": GONE[provider].format(model) for provider in MODELS for model in MODELS[provider]}
    circuits = shop.circuits()
    assert {name: circuits[name]["told"] for name in NAMES} == told
    assert {circuits[name]["state"] for name in NAMES} == {"open"}
    code, checks = shop.checks()
    assert code == 1
    assert {name: checks[f"model {name}"]["found"] for name in NAMES} == {
        name: f"model_gone: {sentence}" for name, sentence in told.items()
    }
    assert checks["providers"]["state"] == "failed"
    _, report = shop.command("report")
    counted = Counter(f"{call.provider}/{call.model}" for call in lost)
    assert {
        f"{provider}/{model}": own["failed"]["model_gone"]
        for provider, found in report["calls"].items()
        for model, own in found["models"].items()
    } == counted
    assert {found["ok"] for found in report["calls"].values()} == {0}
    metrics = shop.metrics()
    for name in NAMES:
        provider, _, model = name.partition("/")
        assert metrics.value("model_state", provider=provider, model=model, state="open") == 1
        labels = {"provider": provider, "model": model, "outcome": "model_gone"}
        assert metrics.value("provider_calls_total", **labels) == counted[name]
    refused = {(f"{line['provider']}/{line['model']}", line["told"]) for line in shop.logged("model_refused")}
    assert refused >= told.items()


def test_a_model_that_thinks(shop: Shop) -> None:
    """Its customers are answered by other models, and the doctor says what to do."""
    shop.begin({FIRST["deepseek"]: "thinking"})
    answers = answered_by(shop.ask_all())
    assert answers.total() == CUSTOMERS
    assert FIRST["deepseek"] not in answers
    assert "fallback" not in answers
    _, checks = shop.checks()
    check = checks[f"model deepseek/{FIRST['deepseek']}"]
    assert (check["state"], check["found"]) == ("warning", "thinking: it thinks: turn thinking off in its request")


def test_providers_without_money(shop: Shop) -> None:
    """Two are left alone at once; the third answers everybody, and the doctor tells of the balance."""
    shop.begin({model: "no_money" for provider in ("gpt", "deepseek") for model in MODELS[provider]})
    assert answered_by(shop.ask_all()) == {FIRST["gemini-flash"]: CUSTOMERS}
    assert {call.model for call in dead_calls(shop)} == {FIRST["gpt"], FIRST["deepseek"]}
    circuits = shop.circuits()
    assert {name for name, circuit in circuits.items() if circuit["state"] != "closed"} == {"gpt", "deepseek"}
    code, checks = shop.checks()
    assert code == 1
    for provider in ("gpt", "deepseek"):
        assert checks[f"circuit {provider}"]["state"] == "failed"
        assert checks[f"model {provider}/{FIRST[provider]}"]["found"].startswith("denied: ")
        assert "balance" in checks[f"model {provider}/{FIRST[provider]}"]["mend"]


def test_models_that_others_answer_for(shop: Shop) -> None:
    """Customers notice nothing; the log, circuits, the doctor, the report and metrics say who answers."""
    shop.begin(dict.fromkeys(FIRST.values(), "rerouted"))
    assert answered_by(shop.ask_all()) == dict.fromkeys(FIRST.values(), CUSTOMERS // 3)
    circuits, (code, checks), metrics = shop.circuits(), shop.checks(), shop.metrics()
    assert code == 0
    noted = {
        (line["provider"], line["model"]): line["answered_by"] for line in shop.logged("answered_by_another_model")
    }
    _, report = shop.command("report")
    for provider, model in FIRST.items():
        assert circuits[f"{provider}/{model}"]["answered_by"] == SUCCESSOR[provider]
        assert checks[f"model {provider}/{model}"]["found"].endswith(f"but as {SUCCESSOR[provider]}")
        assert metrics.value("model_rerouted", provider=provider, model=model) == 1
        assert noted[provider, model] == SUCCESSOR[provider]
        assert (report["calls"][provider]["model"], report["calls"][provider]["ok"]) == (SUCCESSOR[provider], 10)


def test_everybody_was_answered_once_and_nothing_private_was_told(shop: Shop) -> None:
    """Whatever state the models were in; no key and no customer's number is in the log."""
    assert Counter(shop.conversation.answered()) == Counter(shop.sent)
    log = shop.conversation.log.read_text("utf-8")
    assert KEY not in log
    assert not [said for said in (*SAID.values(), "54911000") if len(said) > 1 and said in log]

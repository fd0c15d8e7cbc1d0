"""The doctor's checks against real servers and a real HTTP server in the place of each provider."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from helpers.basics import REPOSITORY, Servers, new_database
from helpers.command_line import run, urls_of
from helpers.factories import ANA, accept_one, answer
from helpers.http_provider import Answer, Server, drip, say, serving
from helpers.model_apis import FIRST, GONE, KEY, MODELS, NAMES, SUCCESSOR, ModelApis, model_apis
from sqlalchemy import Connection, Engine, text

from db import monitoring
from db.locks import INTAKE_LOCK, try_lock
from db.servers import normalised
from worker.operate.doctor import database, providers, redis_servers
from worker.operate.doctor.finding import Finding, State
from worker.providers.probe import ENDS_SOON_DAYS
from worker.providers.providers_file import load_providers
from worker.runtime.embedded.servers import embedded_servers
from worker.settings import Settings, read_settings
from worker.shop.shop import Shop

OK, WARNING, FAILED = State.OK, State.WARNING, State.FAILED
PACKAGED = REPOSITORY / "worker" / "providers" / "providers.toml"
SHOP = Shop("Almacén de la esquina")
KEYS = dict.fromkeys(("GEMINI_API_KEY", "DEEPSEEK_API_KEY", "OPENAI_API_KEY"), KEY)
NAMED = [("deepseek", ["deepseek-flash"])]


def by_check(findings: list[Finding]) -> dict[str, Finding]:
    """Findings by the name of their check; none may come twice."""
    named = {finding.check: finding for finding in findings}
    assert len(named) == len(findings)
    return named


def settings_of(servers: Servers, **environ: str) -> Settings:
    """Settings that name the servers of this test run."""
    return read_settings(urls_of(servers) | environ)


def states(findings: dict[str, Finding]) -> dict[str, State]:
    """The marks."""
    return {check: finding.state for check, finding in findings.items()}


@contextmanager
def intake_lock(engine: Engine) -> Iterator[None]:
    """Somebody is the active intake."""
    with engine.connect() as holder:
        assert try_lock(holder, INTAKE_LOCK)
        yield
        holder.invalidate()


def test_a_database_in_use(engine: Engine, connection: Connection, servers: Servers) -> None:
    """Fresh work is no trouble; the intake is seen by its lock."""
    accept_one(connection)
    configured = settings_of(servers)
    with intake_lock(engine):
        found = by_check(database.examine(configured))
    checks = ("postgresql", "postgresql clock", "migrations", "locks", "intake", "messages", "answers", "dead letters")
    assert states(found) == dict.fromkeys((*checks, "orders", "postgresql sessions"), OK)
    assert found["messages"].found.startswith("1 message unanswered, the oldest for")
    assert by_check(database.examine(configured))["intake"].state is FAILED


def test_work_that_lies_there(connection: Connection, servers: Servers) -> None:
    """Old unanswered messages, answers that were not published, and dead letters."""
    accept_one(connection, "m1", "1")
    answer(connection, "m2", "2")
    answer(connection, "m3", "3", state="dead")
    connection.execute(text("update messages set accepted_at = now() - interval '2 minutes' where message_id = 'm1'"))
    connection.execute(text("update messages set answered_at = now() - interval '1 hour' where message_id <> 'm1'"))
    found = by_check(database.examine(settings_of(servers)))
    assert (found["messages"].state, found["answers"].state, found["dead letters"].state) == (WARNING, FAILED, WARNING)
    assert found["messages"].found == "1 message unanswered, the oldest for 2 min"
    assert found["answers"].found == "2 answers unpublished, the oldest for 1 h"
    assert found["dead letters"].found == "1 dead letter"


def test_who_holds_rows_is_named(engine: Engine, connection: Connection, servers: Servers) -> None:
    """By pid, program, user, state, time and table, without a phone number or a statement; a whole table is worse."""
    accept_one(connection)
    configured = settings_of(servers)
    with engine.connect().execution_options(isolation_level="READ COMMITTED") as other, other.begin():
        other.execute(text("set local application_name = 'psql'"))
        pid = other.execute(text("select pg_backend_pid()")).scalar_one()
        other.execute(text("update customers set name = 'geheim' where customer_phone = :phone"), {"phone": ANA})
        (rows_held,) = database.judge_locks(monitoring.lock_holders(connection, older_than_s=0.0))
        other.execute(text("lock table orders in share mode"))
        (table_held,) = database.judge_locks(monitoring.lock_holders(connection, older_than_s=0.0))
        assert by_check(database.examine(configured))["locks"].state is OK
    assert (rows_held.check, rows_held.state, table_held.state) == (f"locks of pid {pid}", WARNING, FAILED)
    assert rows_held.found.startswith("psql, user chasqui, idle in transaction: holds rows of customers for ")
    assert f"pg_terminate_backend({pid})" in str(rows_held.mend)
    assert "the whole of customers, orders" in table_held.found
    assert not {ANA, "geheim"} & set(f"{rows_held}{table_held}".split())
    assert monitoring.lock_holders(connection, older_than_s=0.0) == ()


def test_a_database_without_a_schema(servers: Servers) -> None:
    """One line says so; what needs the schema does not hide it."""
    with new_database(servers) as url:
        found = by_check(database.examine(settings_of(servers, DATABASE_URL=url)))
    well = dict.fromkeys(("postgresql sessions", "postgresql", "postgresql clock", "locks"), OK)
    assert states(found) == well | {"migrations": FAILED, "messages": FAILED}
    assert found["migrations"].mend == "run chasqui db upgrade"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"port": 1}, "nobody listens there"),
        ({"password": "wrong"}, "it refuses the user or the password"),
        ({"database": "nothing"}, "there is no such database or user"),
        ({"host": "no.such.host.invalid"}, "no machine has that name"),
    ],
)
def test_a_database_that_cannot_be_used(servers: Servers, changes: dict[str, Any], words: str) -> None:
    """One line with the reason, and no password."""
    url = normalised(servers.database_url).set(**changes)
    (finding,) = database.examine(settings_of(servers, DATABASE_URL=url.render_as_string(hide_password=False)))
    assert (finding.check, finding.state) == ("postgresql", FAILED)
    assert words in finding.found
    assert url.password is not None
    assert url.password not in str(finding)


def test_a_redis_in_use(redis_client: redis.Redis, servers: Servers) -> None:
    """A fresh payload, a cleanup that has just run, a circuit that nobody knows, no cache of its own."""
    redis_client.xadd("whatsapp:inbound", {"payload": "{}"})
    redis_client.set("metrics:last_run:cleanup_expired_sessions", int(time.time()) - 60)
    found = by_check(redis_servers.examine(settings_of(servers), NAMED))
    checks = ("redis", "redis persistence", "redis memory", "redis clock", "inbound stream", "beat", "cache")
    circuits = ("circuit deepseek", "circuit deepseek/deepseek-flash")
    assert states(found) == dict.fromkeys((*checks, *circuits), OK)
    assert found["inbound stream"].found.startswith("1 payload waiting, the oldest for")
    assert found["beat"].found == "last run 1 min ago"
    assert found["cache"].found == "in the durable Redis"


def test_what_is_wrong_with_a_redis(redis_client: redis.Redis, servers: Servers) -> None:
    """Settings that lose messages, an old payload, no beat, a circuit that only a hand can mend."""
    redis_client.config_set("appendonly", "no")
    redis_client.config_set("maxmemory-policy", "allkeys-lru")
    redis_client.xadd("whatsapp:inbound", {"payload": "{}"}, id=f"{int(time.time() - 3_600) * 1000}-0")
    denied: dict[Any, Any] = {"state": "open", "reason": "denied", "until_ms": int(time.time() * 1000) + 90_000}
    redis_client.hset("ai_circuit:deepseek", mapping=denied)
    try:
        found = by_check(redis_servers.examine(settings_of(servers), NAMED))
    finally:
        redis_client.config_set("appendonly", "yes")
        redis_client.config_set("maxmemory-policy", "noeviction")
    bad = ("redis persistence", "redis memory", "inbound stream", "circuit deepseek")
    assert {check for check, state in states(found).items() if state is FAILED} == set(bad)
    assert found["beat"].state is WARNING
    assert found["inbound stream"].found == "1 payload waiting, the oldest for 1 h"


def test_a_redis_that_cannot_be_used(servers: Servers) -> None:
    """The durable one is a failure, the cache is not; neither shows its password."""
    away = {"REDIS_URL": "redis://:geheim@127.0.0.1:1/0", "CACHE_REDIS_URL": "redis://:geheim@127.0.0.1:2/0"}
    found = by_check(redis_servers.examine(settings_of(servers, **away), []))
    assert states(found) == {"redis": FAILED, "cache": WARNING}
    assert "nobody listens there" in found["redis"].found
    wrong = servers.redis_url.replace(normalised(servers.redis_url).password or "?", "geheim")
    found |= by_check(redis_servers.examine(settings_of(servers, REDIS_URL=wrong), []))
    assert found["redis"].found == "it refuses the password"
    assert "geheim" not in str(found)


def test_a_cache_of_its_own(redis_client: redis.Redis, servers: Servers) -> None:
    """Judged by what a cache should be, which a durable Redis is not."""
    with_cache = settings_of(servers, CACHE_REDIS_URL=f"{servers.redis_url.removesuffix('/0')}/1")
    redis_client.config_set("maxmemory", "1gb")
    try:
        found = by_check(redis_servers.examine(with_cache, []))
    finally:
        redis_client.config_set("maxmemory", "0")
    assert (found["cache"].state, found["cache"].mend) == (WARNING, "set maxmemory-policy allkeys-lfu")


def looked(apis: ModelApis, *, probe: bool = True, **environ: str) -> dict[str, Finding]:
    """What the doctor finds at these providers; no key is in it, nor a word of the question."""
    configured = read_settings(KEYS | apis.base_urls | environ)
    found = by_check(providers.examine(load_providers(configured), SHOP, probe=probe))
    assert KEY not in str(found)
    assert "Tienen" not in str(found)
    return found


@pytest.fixture
def apis() -> Iterator[ModelApis]:
    """The three providers, as they are in November 2026."""
    with model_apis() as found:
        yield found


def test_models_that_answer(apis: ModelApis) -> None:
    """Each is asked once, as the service asks; a provider without a key is told and left out."""
    found = looked(apis, GEMINI_API_KEY="")
    asked = [name for name in NAMES if not name.startswith("gemini-flash")]
    assert states(found) == {f"model {name}": OK for name in asked} | {"provider gemini-flash": WARNING}
    assert apis.calls() == {name.partition("/")[2]: 1 for name in asked}
    assert found["model gpt/gpt-6-luna"].found.startswith("answers in ")
    assert "GEMINI_API_KEY" in str(found["provider gemini-flash"].mend)


@pytest.mark.parametrize(("provider", "model"), [(name, model) for name in MODELS for model in MODELS[name]])
def test_a_model_that_is_gone(apis: ModelApis, provider: str, model: str) -> None:
    """In the provider's own words, with the way out; a warning, since the provider's other model answers."""
    apis.set({model: "gone"})
    found = looked(apis)
    check = f"model {provider}/{model}"
    assert states(found) == {f"model {name}": OK for name in NAMES} | {check: WARNING}
    assert found[check].found == f"model_gone: {GONE[provider].format(model)}"
    assert "PROVIDERS_FILE" in str(found[check].mend)
    assert "docs/providers.md" in str(found[check].mend)


@pytest.mark.parametrize("state", ["gone", "no_money", "parameters", "thinking", "prose"])
def test_no_model_that_answers(apis: ModelApis, state: str) -> None:
    """Each is a failure, and one line says what that means for customers."""
    apis.set({model: state for models in MODELS.values() for model in models})
    found = looked(apis)
    assert states(found) == dict.fromkeys((*(f"model {name}" for name in NAMES), "providers"), FAILED)
    assert "fallback" in found["providers"].found


@pytest.mark.parametrize("provider", MODELS)
@pytest.mark.parametrize(
    ("state", "found_words", "mend_words"),
    [
        ("no_money", "denied: ", "balance"),
        ("parameters", "model_unfit: ", "docs/providers.md"),
        ("thinking", "thinking: it thinks: turn thinking off in its request", "PROVIDERS_FILE"),
        ("prose", "unreadable: its answer does not fit: ", "base_url"),
    ],
)
def test_a_model_that_cannot_be_used(
    apis: ModelApis, provider: str, state: str, found_words: str, mend_words: str
) -> None:
    """What is wrong with it and what to do; the other models are not touched."""
    apis.set({FIRST[provider]: state})
    found = looked(apis)
    check = f"model {provider}/{FIRST[provider]}"
    assert states(found) == {f"model {name}": OK for name in NAMES} | {check: WARNING}
    assert found_words in found[check].found
    assert mend_words in str(found[check].mend)


@pytest.mark.parametrize("provider", MODELS)
def test_a_model_that_another_one_answers_for(apis: ModelApis, provider: str) -> None:
    """It works, at a price that may be another one."""
    apis.set({FIRST[provider]: "rerouted"})
    found = looked(apis)
    check = f"model {provider}/{FIRST[provider]}"
    assert states(found) == {f"model {name}": OK for name in NAMES} | {check: WARNING}
    assert found[check].found.startswith("answers in ")
    assert found[check].found.endswith(f" ms, but as {SUCCESSOR[provider]}")


@pytest.mark.parametrize(
    ("days", "state"), [(-1, WARNING), (0, WARNING), (ENDS_SOON_DAYS, WARNING), (31, OK), (400, OK)]
)
def test_a_model_whose_end_the_provider_tells(apis: ModelApis, days: int, state: State) -> None:
    """In its list of models; a month before, somebody should know."""
    day = datetime.now(UTC).date() + timedelta(days=days)
    apis.ends = {"gpt-6-luna": day.isoformat()}
    found = looked(apis)
    assert states(found) == {f"model {name}": OK for name in NAMES} | {"model gpt/gpt-6-luna": state}
    assert found["model gpt/gpt-6-luna"].found.endswith(f" ms; it ends on {day}")
    assert found["model gemini-flash/gemini-3.1-flash-lite"].found.endswith(" ms; it ends on 2027-05-07")


@pytest.mark.parametrize("end", ["soon", "2027-02-30", ""])
def test_an_end_that_is_no_day_is_none(apis: ModelApis, end: str) -> None:
    """Lists are the providers' own affair."""
    apis.ends = {"gpt-6-luna": end}
    assert looked(apis)["model gpt/gpt-6-luna"].found.endswith(" ms")


def alone(answer: Answer) -> tuple[dict[str, Finding], Server]:
    """What the doctor finds of DeepSeek alone, which answers everything so."""
    with serving(answer) as server:
        given = {"DEEPSEEK_API_KEY": KEY, "DEEPSEEK_BASE_URL": server.url}
        return by_check(providers.examine(load_providers(read_settings(given)), SHOP, probe=True)), server


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (say(401, {"error": {"message": f"Bad key {KEY}"}}), FAILED, "denied: Bad key …"),
        (say(402, {"error": {"message": "?"}}), FAILED, "balance"),
        (say(404, {"error": {"code": "model_not_found"}}), FAILED, "model_not_found"),
        (say(404, {"error": {"message": "No ¿Tienen leche? here"}}), FAILED, "model_gone: No ¿…"),
        (say(503, b"busy"), WARNING, "unavailable: HTTP 503"),
        (say(429, b"", Retry_After="60"), WARNING, "rate_limited"),
        (say(200, b"<html>Welcome to the hotel</html>"), FAILED, "base_url"),
    ],
)
def test_a_provider_that_does_not_answer(answer: Answer, state: State, words: str) -> None:
    """What waits for somebody's hand is a failure, what passes by itself is none; keys and questions are not shown."""
    found, server = alone(answer)
    assert len(server.seen) == 2
    for model in MODELS["deepseek"]:
        finding = found[f"model deepseek/{model}"]
        assert finding.state is state
        assert words in f"{finding.found} {finding.mend}"
        assert KEY not in str(finding)
        assert "Tienen" not in str(finding)
    assert found["providers"].state is FAILED


def test_a_provider_that_takes_too_long(tmp_path: Path) -> None:
    """An answer that drips is not waited for longer than the service would."""
    with serving(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b" ")) as server:
        file = tmp_path / "providers.toml"
        file.write_text(re.sub(r"(?m)^timeout_s = .*$", "timeout_s = 0.3", PACKAGED.read_text("utf-8")), "utf-8")
        given = {"DEEPSEEK_API_KEY": KEY, "DEEPSEEK_BASE_URL": server.url, "PROVIDERS_FILE": str(file)}
        found = by_check(providers.examine(load_providers(read_settings(given)), SHOP, probe=True))
    model = found["model deepseek/deepseek-flash"]
    assert (model.state, model.found[:7]) == (WARNING, "timeout")


def test_nobody_is_asked_without_a_probe(apis: ModelApis) -> None:
    """Only the keys are looked for."""
    assert states(looked(apis, probe=False)) == {f"model {name}": OK for name in NAMES}
    assert apis.asked == []


def doctor(directory: Path, *options: str, **environ: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code and checks of `chasqui doctor --json`."""
    done = run(directory, "doctor", "--json", *options, **environ)
    report = json.loads(done.stdout)
    assert report["fit"] == (done.returncode == 0)
    assert "geheim" not in done.stdout + done.stderr
    return done.returncode, {check["check"]: check for check in report["checks"]}


def test_an_empty_directory(tmp_path: Path) -> None:
    """Nothing runs and nothing is set: said so, with the way out, and nothing is started or written."""
    code, checks = doctor(tmp_path)
    assert code == 1
    assert {"postgresql", "redis", "providers"} <= checks.keys()
    for check in ("postgresql", "redis"):
        assert "no embedded server is running" in checks[check]["found"]
        assert "chasqui up" in checks[check]["mend"]
    assert list(tmp_path.iterdir()) == []


def test_embedded_servers_that_run(tmp_path: Path) -> None:
    """They are found where they are, and their disk is looked at; of the service nothing runs."""
    with embedded_servers(tmp_path / ".chasqui"):
        code, checks = doctor(tmp_path, "--no-probe")
    assert code == 1
    assert {name: checks[name]["state"] for name in ("postgresql", "redis", "disk")} == dict.fromkeys(
        ("postgresql", "redis", "disk"), "ok"
    )
    assert (checks["migrations"]["state"], checks["workers"]["state"]) == ("failed", "failed")


def test_servers_without_a_service(tmp_path: Path, engine: Engine, redis_client: redis.Redis, servers: Servers) -> None:
    """What is up is told from what is not, on a terminal as well: a line each, with the way out."""
    key = {"DEEPSEEK_API_KEY": "sk-geheim-0123456789"}
    code, checks = doctor(tmp_path, "--no-probe", **urls_of(servers), **key)
    assert code == 1
    assert {name for name, check in checks.items() if check["state"] == "failed"} == {"intake", "workers"}
    assert "nobody takes from flow, ai, inbound, periodic" in checks["workers"]["found"]
    plain = run(tmp_path, "doctor", "--no-probe", **urls_of(servers), **key)
    lines = plain.stdout.splitlines()
    assert (plain.returncode, len(lines)) == (1, len(checks))
    assert [line[0] for line in lines].count("✗") == 2
    assert any(line.startswith("✗ intake ") and line.endswith("chasqui intake") for line in lines)


def test_a_file_of_providers_that_cannot_be_read(tmp_path: Path, servers: Servers) -> None:
    """The servers are looked at all the same."""
    file = tmp_path / "providers.toml"
    file.write_text("[[provider]]\nname = 1\n")
    code, checks = doctor(tmp_path, PROVIDERS_FILE=str(file), **urls_of(servers))
    assert code == 1
    assert (checks["postgresql"]["state"], checks["providers"]["state"]) == ("ok", "failed")
    assert "providers.toml" in checks["providers"]["found"]


def test_exit_codes_tell_whether_customers_are_answered(tmp_path: Path, servers: Servers, apis: ModelApis) -> None:
    """One model that is gone is told and does not make the providers unfit; when all are, they are."""
    given = urls_of(servers) | KEYS | apis.base_urls
    apis.set({"gpt-6-luna": "gone"})
    _, checks = doctor(tmp_path, **given)
    unfit = {name for name, check in checks.items() if check["state"] == "failed"}
    assert not {name for name in unfit if name.startswith(("model", "provider"))}
    assert checks["model gpt/gpt-6-luna"]["found"] == f"model_gone: {GONE['gpt'].format('gpt-6-luna')}"
    apis.set({model: "gone" for models in MODELS.values() for model in models})
    code, checks = doctor(tmp_path, **given)
    assert code == 1
    assert {name for name, check in checks.items() if check["state"] == "failed"} - unfit == {
        "providers",
        *(f"model {name}" for name in NAMES),
    }

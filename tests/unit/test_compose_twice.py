"""The Compose file with two of everything: the same processes and rights, and addresses that lead to its servers."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
from helpers import yaml_text
from helpers.composed import REQUIRED, TEXT, TWICE_TEXT, VARIABLE, composed, content_twice

from db.servers import normalised, places
from worker.celery_ext.broker import broker_of
from worker.settings import read_settings, urls_by_host

BASE: dict[str, dict[str, Any]] = yaml_text.load(TEXT)["services"]
SERVICES: dict[str, dict[str, Any]] = content_twice()["services"]
REDIS, SENTINELS = ("redis", "redis-2", "redis-3"), ("sentinel", "sentinel-2", "sentinel-3")
POSTGRES = ("postgres", "postgres-standby")
ADDED = {*REDIS[1:], *SENTINELS, *POSTGRES[1:]}
RIGHTS = ("image", "user", "read_only", "cap_drop", "security_opt", "restart", "logging", "pids_limit")
COMPOSED = composed(dict.fromkeys(REQUIRED, "secret"), {}, content_twice())
ENVIRONMENTS = {name: service.environment for name, service in COMPOSED.items()}


def test_servers_are_added_and_nothing_is_lost() -> None:
    """Three Redis, three Sentinels, a standby, each with a volume of its own."""
    assert SERVICES.keys() == BASE.keys() | ADDED
    volumes = [SERVICES[name]["volumes"][0] for name in (*REDIS, *SENTINELS, *POSTGRES)]
    assert len(set(volumes)) == len(volumes)


@pytest.mark.parametrize("name", sorted(ADDED))
def test_a_server_has_no_more_rights_than_its_like(name: str) -> None:
    """Those of the one in the first file; and none of them has a port outside."""
    like = BASE["postgres" if name in POSTGRES else "redis"]
    assert [SERVICES[name].get(key) for key in RIGHTS] == [like.get(key) for key in RIGHTS]
    assert "ports" not in SERVICES[name]


@pytest.mark.parametrize("name", ["intake", "worker", "worker-ai", "beat"])
def test_what_can_be_two_is_two(name: str) -> None:
    """With the command of the first file."""
    assert SERVICES[name]["deploy"] == {"replicas": 2}
    assert SERVICES[name]["command"] == BASE[name]["command"]


def test_no_variable_is_new_and_none_has_a_value() -> None:
    """The same `.env` serves both files."""
    found = VARIABLE.findall(TWICE_TEXT)
    assert {name for name, _, _ in found} <= REQUIRED
    assert {kind for _, kind, _ in found} == {":?"}
    assert len(found) == len(re.findall(r"(?<!\$)\$\{", TWICE_TEXT))


@pytest.mark.parametrize("name", ["migrate", "intake", "worker", "worker-ai", "beat", "metrics", "dashboard"])
def test_every_process_is_led_to_all_servers(name: str) -> None:
    """Both PostgreSQL, by their names, and the three Sentinels; the broker goes with them."""
    settings = read_settings({**ENVIRONMENTS[name]})
    assert places(normalised(settings.required("database_url"))) == [(server, 5432) for server in POSTGRES]
    hosts = [re.sub(r".*@", "", url) for url in urls_by_host(settings.required("redis_url"))]
    assert hosts == [f"{sentinel}:26379" for sentinel in SENTINELS]
    assert broker_of(settings).options["master_name"] == settings.redis_master_name == "chasqui"


def test_flower_is_led_to_the_sentinels() -> None:
    """It knows the broker alone."""
    names = ("REDIS_URL", "REDIS_MASTER_NAME")
    assert [ENVIRONMENTS["flower"][name] for name in names] == [ENVIRONMENTS["worker"][name] for name in names]


def test_all_redis_are_set_as_the_one() -> None:
    """Any of them may become the master: the settings of the first file stand in each, and what a pair needs."""
    told = [{line.strip() for line in SERVICES[name]["command"][-1].splitlines()} for name in REDIS]
    one = [line.strip() for line in BASE["redis"]["command"][-1].splitlines() if "SETTINGS" not in line]
    assert told[0] == told[1] == told[2]
    assert set(one) <= told[0]
    assert {"min-replicas-to-write 1", "masterauth $$REDISCLI_AUTH"} <= told[0]


@pytest.mark.parametrize("name", [*REDIS, *SENTINELS, *POSTGRES])
def test_the_shell_reads_the_command(name: str) -> None:
    """As Compose hands it over."""
    shell, flag, script = COMPOSED[name].command
    assert (shell, flag) == ("sh", "-c")
    assert subprocess.run(["sh", "-n", "-c", script], capture_output=True, check=False).stderr == b""
    assert "$$" not in script


def test_no_postgres_begins_a_database_beside_the_shops() -> None:
    """An empty volume waits for the other server: nothing but a copy of it goes in."""
    for name, other in zip(POSTGRES, reversed(POSTGRES), strict=True):
        before, _, after = COMPOSED[name].command[-1].partition("exec docker-entrypoint.sh")
        assert 'until pg_isready --quiet --host="$OTHER"' in before
        assert "pg_basebackup" in before
        assert after
        assert COMPOSED[name].environment["OTHER"] == other


def test_both_postgres_log_no_words_of_customers() -> None:
    """With the settings of the first file."""
    settings = [word for word in BASE["postgres"]["command"] if "=" in word]
    assert settings
    for name in POSTGRES:
        assert all(f"-c {setting}" in SERVICES[name]["command"][-1] for setting in settings)

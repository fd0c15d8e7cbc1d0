"""The Compose file and the image: no secret in them, nothing open, and the same processes as `chasqui up` runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from helpers import yaml_text
from helpers.basics import GUARD_S, REPOSITORY
from packaging.requirements import Requirement

from worker.runtime.supervisor import chasqui_program, service_programs
from worker.settings import Settings

TEXT = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = yaml_text.load(TEXT)["services"]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
OURS = ("migrate", "intake", "worker", "worker-ai", "beat", "metrics", "dashboard", "flower")
SERVERS = ("postgres", "redis", "redis-cache")
#: Nobody watches beat from outside: it either runs or is started again.
WATCHED = (*SERVERS, "intake", "worker", "worker-ai", "metrics", "dashboard", "flower")
#: Another broker, or a file of one's own, needs a Compose file of one's own. Where to listen is the containers' matter.
NOT_IN_COMPOSE = {"BROKER_URL", "BROKER_MASTER_NAME", "BROKER_SENTINEL_PASSWORD", "PROVIDERS_FILE"} | {
    f"{role}_{name}" for role in ("REDIS", "CACHE_REDIS") for name in ("MASTER_NAME", "SENTINEL_PASSWORD")
}
NOT_IN_COMPOSE |= {"METRICS_HOST", "METRICS_PORT", "DASHBOARD_HOST", "DASHBOARD_PORT", "FLOWER_PORT"}
#: Secrets that one process alone has.
OF_ONE = {
    "flower": {"FLOWER_BASIC_AUTH", "FLOWER_URL_PREFIX"},
    "dashboard": {"DASHBOARD_PASSWORD", "DASHBOARD_ADMIN_PASSWORD"},
}
VARIABLE = re.compile(r"\$\{(\w+)(:[?-])([^}]*)\}")


def environment(service: str) -> dict[str, str]:
    """The environment of a service."""
    found: dict[str, str] = SERVICES[service]["environment"]
    return found


def test_the_services_are_all_there() -> None:
    """Servers, one migration, every process of the service, and Flower."""
    assert set(SERVICES) == {*OURS, *SERVERS}


def test_no_variable_has_a_value_of_its_own() -> None:
    """Every `${...}` is required or empty by default: neither a password nor a second set of defaults hides here."""
    variables = VARIABLE.findall(TEXT)
    assert TEXT.count("${") == len(variables)
    assert [name for name, kind, default in variables if kind == ":-" and default] == []


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_is_literal(service: str) -> None:
    """A password, a login or a key is one variable; passwords must be given, keys and an administrator need not."""
    for name, value in SERVICES[service].get("environment", {}).items():
        if re.search("PASSWORD|AUTH|KEY", name):
            found = VARIABLE.fullmatch(value)
            assert found, name
            assert (found[2] == ":?") == (not re.search("KEY|ADMIN", name)), name
        if "://" in value:
            assert re.fullmatch(r"[\w+]+://\w*:\$\{\w+:\?[^}]+\}@[\w-]+:\d+/\w+", value), name


@pytest.mark.parametrize("service", SERVICES)
def test_no_password_stands_in_a_command(service: str) -> None:
    """Compose puts nothing into a command line, which everybody on the machine can read."""
    command = [*SERVICES[service].get("command", []), *SERVICES[service].get("healthcheck", {}).get("test", [])]
    assert not any(VARIABLE.search(word) for word in command)


def test_only_pages_with_a_login_are_published_and_only_here() -> None:
    """Two ports, on the loopback address, each behind a login that must be set."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"flower": ["127.0.0.1:5555:5555"], "dashboard": ["127.0.0.1:8090:8090"]}
    assert environment("flower")["FLOWER_BASIC_AUTH"].startswith("${FLOWER_BASIC_AUTH:?")
    assert environment("dashboard")["DASHBOARD_PASSWORD"].startswith("${DASHBOARD_PASSWORD:?")
    assert not any("network_mode" in service for service in SERVICES.values())


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_comes_back_and_has_limits(service: str) -> None:
    """All but the migration are restarted; each has a bound of memory, processors, processes and log."""
    settings = SERVICES[service]
    assert settings["restart"] == ("no" if service == "migrate" else "unless-stopped")
    assert {"mem_limit", "cpus", "pids_limit", "stop_grace_period"} <= settings.keys()
    assert {"max-size", "max-file"} <= settings["logging"]["options"].keys()


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_few_rights(service: str) -> None:
    """No capability, no way to gain one, no root; and where it is simple no writable file system."""
    settings = SERVICES[service]
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]
    assert settings.get("user", "") not in ("root", "0")
    assert ("user" in settings) == (service in SERVERS)
    assert settings.get("read_only", False) == (service != "postgres")
    assert not settings.get("privileged", False)


@pytest.mark.parametrize("service", WATCHED)
def test_what_can_be_watched_is_watched(service: str) -> None:
    """A health check with a bounded time."""
    check = SERVICES[service]["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries", "start_period"} <= check.keys()


@pytest.mark.parametrize("service", OURS[1:])
def test_nothing_starts_before_the_database_is_migrated(service: str) -> None:
    """The processes wait for the migration, and the migration for PostgreSQL."""
    assert SERVICES[service]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert SERVICES[service]["depends_on"]["redis"] == {"condition": "service_healthy"}
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert SERVICES["migrate"]["command"] == ["chasqui", "db", "upgrade"]


def test_the_processes_are_those_of_the_supervisor() -> None:
    """Same programs, same arguments; only the executable is found by its name."""
    for program in [*service_programs(Path("/tmp"), 1), chasqui_program("metrics")]:
        python, flag, module, *arguments = program.argv
        assert (python, flag) == (sys.executable, "-m")
        name = "chasqui" if module == "worker" else module
        assert SERVICES[program.name]["command"] == [name, *arguments]


@pytest.mark.parametrize("service", ["migrate", "intake", "worker", "beat"])
def test_all_processes_have_the_same_settings(service: str) -> None:
    """The worker that calls providers has their keys and addresses besides, and nobody else has."""
    providers = {name for name in environment("worker-ai") if name.endswith(("_API_KEY", "_BASE_URL"))}
    assert len(providers) == 6
    common = {name: value for name, value in environment("worker-ai").items() if name not in providers}
    assert environment(service) == common


def test_every_setting_can_be_set() -> None:
    """What the environment can say is passed on, under its own name; nothing else is."""
    known = {name.upper() for name in Settings.model_fields}
    assert set(environment("worker-ai")) == known - NOT_IN_COMPOSE - set.union(*OF_ONE.values())
    assert all(own <= environment(service).keys() for service, own in OF_ONE.items())


def test_the_example_names_every_variable_and_no_value() -> None:
    """`.env.example` is complete and holds no secret."""
    lines = (REPOSITORY / ".env.example").read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert set(given) == {name for name, _, _ in VARIABLE.findall(TEXT)}
    assert set(given.values()) == {""}


def test_redis_roles_are_configured() -> None:
    """The durable one keeps everything and refuses at its limit, the cache forgets; both ask for the password."""
    durable, cache = (SERVICES[name]["command"][-1].splitlines() for name in ("redis", "redis-cache"))
    assert {"appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction"} <= set(durable)
    assert {"appendonly no", 'save ""', "maxmemory 1gb", "maxmemory-policy allkeys-lfu"} <= set(cache)
    assert "requirepass $$REDISCLI_AUTH" in durable
    assert "requirepass $$REDISCLI_AUTH" in cache
    assert SERVICES["redis"]["volumes"] == ["redis-data:/data"]


def test_the_check_of_intake_runs() -> None:
    """The program in the health check fits the code: without servers it says unhealthy, and raises nothing."""
    _, python, flag, code = SERVICES["intake"]["healthcheck"]["test"]
    assert (python, flag) == ("python", "-c")
    nowhere = {"DATABASE_URL": "postgresql://a:b@127.0.0.1:1/c", "REDIS_URL": "redis://127.0.0.1:1/0"}
    done = subprocess.run(
        [sys.executable, flag, code],
        env=os.environ | nowhere,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=GUARD_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")


def test_the_image_does_not_run_as_root() -> None:
    """The last stage ends as a user that is not root, and installs only what is checked by hash."""
    stage = DOCKERFILE.rpartition("\nFROM ")[2]
    users = re.findall(r"^USER (\S+)$", stage, re.MULTILINE)
    assert users
    assert users[-1] not in ("root", "0")
    installs = re.findall(r"pip install (.*)", DOCKERFILE)
    assert installs
    assert all(words.startswith(("--require-hashes", "--no-deps dist/")) for words in installs)
    assert re.search(r'^CMD \["chasqui", "--help"\]$', stage, re.MULTILINE)


def test_the_image_is_built_from_files_that_reach_it() -> None:
    """What the Dockerfile copies exists, and `.dockerignore` lets it through; it lets nothing else through."""
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]
    }
    ignore = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert all((REPOSITORY / name).exists() for name in copied)
    assert ignore[1] == "*"
    assert {line[1:] for line in ignore if line.startswith("!")} == copied


def test_the_build_backend_is_complete() -> None:
    """The Dockerfile picks the build backend and all that it needs out of the development lock."""
    found = re.search(r"keep = /\^\(([\w|-]+)\)==/", DOCKERFILE)
    assert found
    picked = set(found[1].split("|"))
    needed, open_ends = set[str](), ["hatchling"]
    while open_ends:
        name = open_ends.pop()
        needed.add(name)
        wanted = [Requirement(text) for text in metadata.requires(name) or ()]
        applying = {one.name for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})}
        open_ends += applying - needed
    assert picked == needed
    locked = re.findall(r"^([\w-]+)==", (REPOSITORY / "requirements-dev.lock").read_text("utf-8"), re.MULTILINE)
    assert picked <= set(locked)

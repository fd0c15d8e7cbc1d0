"""The Compose file follows the Compose specification: by our own look, and by Docker Compose where it is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import yaml_text
from helpers.basics import REPOSITORY
from helpers.composed import REQUIRED, TEXT, content_twice, merged, seconds

from db.servers import normalised, places
from worker.celery_ext.broker import broker_of
from worker.redisdb.connect import connect_redis
from worker.settings import SECRETS, read_settings

CONTENT: dict[str, Any] = yaml_text.load(TEXT)
SERVICES: dict[str, dict[str, Any]] = CONTENT["services"]
#: What a service of the specification may have, as far as one that runs on a single machine could want it.
_ATTRIBUTES = """
annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name cpu_count
cpu_percent cpu_period cpu_quota cpu_shares cpus cpuset depends_on deploy develop device_cgroup_rules devices dns
dns_opt dns_search domainname entrypoint env_file environment expose extends external_links extra_hosts group_add
healthcheck hostname image init ipc labels links logging mac_address mem_limit mem_reservation mem_swappiness
memswap_limit
network_mode networks oom_kill_disable oom_score_adj pid pids_limit platform ports privileged profiles pull_policy
read_only restart runtime scale secrets security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt
sysctls tmpfs tty ulimits user userns_mode uts volumes volumes_from working_dir
"""
ATTRIBUTES = frozenset(_ATTRIBUTES.split())
CHECK = frozenset({"test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"})
CONDITIONS = frozenset({"service_started", "service_healthy", "service_completed_successfully"})


def mistakes(content: Mapping[str, Any]) -> Iterator[str]:
    """What the specification does not know or allow."""
    top = {"name", "version", "services", "volumes", "networks", "secrets", "configs", "include"}
    yield from (key for key in content if key not in top and not key.startswith("x-"))
    for name, service in content["services"].items():
        yield from (f"{name}: {mistake}" for mistake in mistakes_of(service, content))


def mistakes_of(service: Mapping[str, Any], content: Mapping[str, Any]) -> Iterator[str]:
    """The same for one service."""
    yield from service.keys() - ATTRIBUTES
    yield from service.get("healthcheck", {}).keys() - CHECK
    times = [service.get("healthcheck", {}).get(key, "1s") for key in ("interval", "timeout", "start_period")]
    for time in (*times, service.get("stop_grace_period", "1s")):
        if not re.fullmatch(r"(\d+m)?(\d+s)?", time) or seconds(time) <= 0:
            yield f"duration {time}"
    for other, how in service.get("depends_on", {}).items():
        if other not in content["services"] or how["condition"] not in CONDITIONS:
            yield f"depends_on {other}"
    for volume in service.get("volumes", ()):
        source = volume.split(":")[0]
        if not source.startswith((".", "/")) and source not in content.get("volumes", {}):
            yield f"volume {source}"
    for secret in service.get("secrets", ()):
        if secret not in content.get("secrets", {}):
            yield f"secret {secret}"
    for size in (service[key] for key in ("mem_limit", "shm_size") if key in service):
        if not re.fullmatch(r"\d+[bkmg]b?", size):
            yield f"size {size}"
    if service.get("restart", "no") not in ("no", "always", "on-failure", "unless-stopped"):
        yield f"restart {service['restart']}"
    if not {"image", "build"} & service.keys():
        yield "neither image nor build"


@pytest.mark.parametrize("content", [CONTENT, content_twice()], ids=["one", "two"])
def test_the_file_follows_the_specification(content: Mapping[str, Any]) -> None:
    """No unknown attribute, no name that leads nowhere, no size or time that cannot be read; both files."""
    assert list(mistakes(content)) == []


@pytest.mark.parametrize(
    ("service", "attribute", "value"),
    [
        ("worker", "comand", []),
        ("worker", "restart", "allways"),
        ("worker", "mem_limit", "512 MB"),
        ("worker", "stop_grace_period", "15"),
        ("intake", "depends_on", {"postgress": {"condition": "service_healthy"}}),
        ("intake", "depends_on", {"postgres": {"condition": "healthy"}}),
        ("intake", "healthcheck", {"tests": []}),
        ("redis", "volumes", ["redis-dat:/data"]),
        ("redis", "secrets", ["password"]),
    ],
)
def test_a_mistake_is_found(service: str, attribute: str, value: object) -> None:
    """Whatever kind it is of."""
    changed = CONTENT | {"services": SERVICES | {service: SERVICES[service] | {attribute: value}}}
    assert len(list(mistakes(changed))) == 1


def docker_compose() -> tuple[list[str], str] | None:
    """The program, and the file as it can read it: Docker Compose 1 does not know `name`."""
    docker = shutil.which("docker")
    if docker and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0:
        return [docker, "compose"], TEXT
    old = shutil.which("docker-compose")
    return ([old], re.sub(r"(?m)^name:.*$", "", TEXT)) if old else None


FOUND = docker_compose()


def config(
    directory: Path, given: Iterable[str], changes: Mapping[str, str], *overrides: Path
) -> subprocess.CompletedProcess[str]:
    """What Docker Compose says of the changed file, in a directory without `.env`, with these variables set."""
    assert FOUND
    program, text = FOUND
    for old, new in changes.items():
        text = text.replace(old, new)
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), **dict.fromkeys(given, "x")}
    file = directory / "docker-compose.yml"
    file.write_text(text)
    files = [word for path in (file, *overrides) for word in ("-f", str(path))]
    command = [*program, *files, "config", "-q"]
    return subprocess.run(command, cwd=directory, env=environment, text=True, capture_output=True, check=False)


@pytest.mark.skipif(FOUND is None, reason="Docker Compose is not installed")
def test_docker_compose_reads_the_file(tmp_path: Path) -> None:
    """By the schema that it carries, with every variable that must be set; and it would find a mistake."""
    assert config(tmp_path, REQUIRED, {}).returncode == 0
    assert config(tmp_path, REQUIRED, {"restart: unless-stopped": "restarts: unless-stopped"}).returncode != 0


@pytest.mark.skipif(FOUND is None, reason="Docker Compose is not installed")
@pytest.mark.parametrize("missing", sorted(REQUIRED))
def test_docker_compose_asks_for_what_must_be_set(tmp_path: Path, missing: str) -> None:
    """A password that was forgotten stops everything, and is named."""
    done = config(tmp_path, REQUIRED - {missing}, {})
    assert done.returncode != 0
    assert missing in done.stderr


DOCUMENT = (REPOSITORY / "docs" / "deploy.md").read_text("utf-8")
OVERRIDES = [yaml_text.load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)]
EXPORTS = re.findall(r"^\s*export (\w+)=(.+)$", DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize("override", OVERRIDES, ids=lambda override: ",".join(override["services"]))
def test_the_overrides_in_the_document_fit(override: dict[str, Any], tmp_path: Path) -> None:
    """They change services that exist, by the specification; Docker Compose, where installed, reads both files."""
    assert override["services"].keys() <= SERVICES.keys()
    assert list(mistakes(merged(CONTENT, override))) == []
    if FOUND:
        file = tmp_path / "docker-compose.override.yml"
        file.write_text(yaml.safe_dump(override))
        assert config(tmp_path, REQUIRED, {}, file).returncode == 0


def test_the_secret_in_the_document_reaches_the_settings(tmp_path: Path) -> None:
    """With the variable left empty, as the document says."""
    (override,) = (one for one in OVERRIDES if "secrets" in one)
    environment = merged(CONTENT, override)["services"]["worker-ai"]["environment"]
    file = tmp_path / "key"
    file.write_text("AIza-test\n")
    given = {name: str(file) for name, value in environment.items() if value.startswith("/run/secrets/")}
    key = read_settings({"GEMINI_API_KEY": "", **given}).gemini_api_key
    assert key is not None
    assert key.get_secret_value() == "AIza-test"


def test_the_urls_in_the_document_are_understood() -> None:
    """Each by itself; TLS keeps its certificates, and Sentinels go with the name that stands beside them."""
    assert len(EXPORTS) >= 5
    urls = [(name, value.strip("'")) for name, value in EXPORTS]
    names = {name: value for name, value in urls if name.endswith("_MASTER_NAME")}
    for name, value in urls:
        settings = read_settings({name: value} | names)
        if value.startswith("sentinel"):
            assert broker_of(settings).options["master_name"] == "chasqui"
        elif name == "DATABASE_URL" and "sslmode" in value:
            assert normalised(value).query["sslmode"] == "verify-full"
        elif name == "DATABASE_URL":
            assert places(normalised(value)) == [("one.example", 5432), ("two.example", 5432)]
        elif value.startswith("rediss:"):
            with connect_redis(value, 1.0) as client:
                assert client.connection_pool.connection_kwargs["ssl_ca_certs"] == "/etc/chasqui/ca.pem"


def test_the_secrets_in_the_document_are_all_there() -> None:
    """Every setting that may stand in a file is named with its twin."""
    section = DOCUMENT.partition("### Secrets from files\n")[2].partition("\n### ")[0]
    named = set(re.findall(r"`(\w+)_FILE`", section))
    assert named == {name.upper() for name in SECRETS}

"""The programs of a town: what production starts, each through `crashing.py` and with proxies before its servers."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from worker.devkit.demo import KEYS
from worker.devkit.sold_models import APIS
from worker.runtime.embedded.server import HOST
from worker.runtime.supervisor import Program, celery_program, service_programs
from worker.settings import Settings

HERE: Final = Path(__file__).parent
#: Of production's 15, 30, 2 and 1 seconds, and the margin that no setting names: what is lost shall come back soon.
TIMES: Final = {"FLOW_LEASE_S": "3", "AI_DEADLINE_S": "4", "SWEEP_EVERY_S": "0.5", "REPLY_QUIET_S": "0.3"}
AI_LEASE_MARGIN_S: Final = 3.0
#: Nobody in the suite writes so much that his calls of an hour are used up, and models are asked from end to end.
LIMITS: Final = {
    "AI_CALLS_PER_CUSTOMER_HOUR": "1000000",
    "REPLIES_PER_CUSTOMER_HOUR": "1000000",
    "PRECACHE_DAILY_USD": "0",
    "LOG_FORMAT": "json",
}
POOL_PROCESSES: Final = 2
SETTINGS: Final = {"postgres": "DATABASE_URL", "redis": "REDIS_URL", "cache": "CACHE_REDIS_URL"}
SERVERS: Final = tuple(SETTINGS)
INTAKES: Final = ("intake", "intake-2")
WITH_POOL: Final = "worker-2"
WORKERS: Final = ("worker", WITH_POOL, "worker-ai")
PROCESSES: Final = (*INTAKES, *WORKERS, "beat")
#: Who talks to whom.
PAIRS: Final = (
    *((name, server) for name in (*INTAKES, *WORKERS) for server in SERVERS),
    ("beat", "redis"),
    ("worker-ai", "providers"),
)


def town_programs(directory: Path) -> list[Program]:
    """What production runs, with a second intake that stands by and a second worker, which has a pool."""
    programs = service_programs(directory, 1)
    intake = next(program for program in programs if program.name == "intake")
    pool = ("-Q", "flow,inbound", "-c", str(POOL_PROCESSES), "-n", "flow-2@%h", "--without-gossip", "--without-mingle")
    programs += [replace(intake, name="intake-2"), celery_program(WITH_POOL, "worker", *pool)]
    return [_breakable(directory, program) for program in programs if program.name in PROCESSES]


def _breakable(directory: Path, program: Program) -> Program:
    """The same command line, started through `crashing.py`."""
    python, dash_m, *command = program.argv
    assert dash_m == "-m", program.argv
    return Program(
        program.name, (python, "-P", str(HERE / "crashing.py"), str(_spec(directory, program.name)), *command)
    )


def simulator(port: int, seed: int) -> Program:
    """The providers, on this port."""
    command = ("-P", str(HERE / "provider.py"), "--port", str(port), "--seed", str(seed))
    return Program("simulator", (sys.executable, *command))


def _spec(directory: Path, name: str) -> Path:
    return directory / f"{name}.json"


def write_spec(directory: Path, name: str, variables: Mapping[str, str]) -> None:
    """What `crashing.py` is told of one process."""
    spec = {
        "environment": variables,
        "unset": [field.upper() for field in Settings.model_fields],
        "clock": str(directory / f"{name}.clock"),
        "switches": str(directory / "switches"),
        "ai_lease_margin_s": AI_LEASE_MARGIN_S,
    }
    with os.fdopen(os.open(_spec(directory, name), os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        json.dump(spec, file)


def environment(name: str, urls: Mapping[str, str], ports: Mapping[tuple[str, str], int]) -> dict[str, str]:
    """The variables of one process. Every server it needs stands behind a proxy of its own, on one of the ports."""
    reached = {
        variable: urls[server].replace(f":{port_of(urls[server])}/", f":{ports[name, server]}/")
        for server, variable in SETTINGS.items()
        if (name, server) in ports
    }
    return reached | keys(ports["worker-ai", "providers"]) | TIMES | LIMITS


def keys(port: int) -> dict[str, str]:
    """The environment that leads to the simulated providers, on this port."""
    addresses = {f"{name.upper()}_BASE_URL": f"http://{HOST}:{port}{api.base_path}" for name, api in APIS.items()}
    return addresses | dict.fromkeys(KEYS, "faults")


def port_of(url: str) -> int:
    """The port in a server's URL."""
    return int(url.rpartition(":")[2].partition("/")[0])

"""`chasqui up --flower`: tasks and workers behind a login, and nothing personal on any page."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psutil
import pytest
import requests
from celery import Celery
from helpers.basics import GUARD_S

from worker.devkit.simulator import Simulator
from worker.runtime.embedded.processes import wait_until
from worker.runtime.embedded.server import free_port
from worker.runtime.embedded.servers import embedded_servers
from worker.settings import SECRETS, Settings

PHONE, TEXT, FOREIGN = "5491166677788", "agregame 3 yerbas zorzalito", "quiero leche zorzal"
STEPS = ("receive", "fetch_session", "route_ai", "call_provider", "update_session", "record_metrics")
CHASQUI = (sys.executable, "-m", "worker")
START_S = 90.0


@dataclass
class Up:
    """`chasqui up --flower` while it runs."""

    process: subprocess.Popen[str]
    directory: Path
    port: int
    password: str
    told: list[str]

    def get(self, path: str, login: tuple[str, str] | None = None) -> requests.Response:
        """A page or an answer of the API, with the login that was told if no other is given."""
        given = login or ("chasqui", self.password)
        return requests.get(f"http://127.0.0.1:{self.port}{path}", auth=given, timeout=GUARD_S)

    def tasks(self) -> dict[str, Any]:
        """All tasks that Flower has seen, by id."""
        return dict(self.get("/api/tasks?limit=1000").json())

    def redis_url(self) -> str:
        """The embedded Redis."""
        found = re.search(r"REDIS_URL='(.+)'", (self.directory / ".chasqui" / "env").read_text())
        assert found
        return found[1]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The service with Flower in a directory of its own, with embedded servers; ready, and Flower hears its workers."""
    directory, port = tmp_path_factory.mktemp("flower"), free_port()
    ours = {name.upper() for name in Settings.model_fields} | {f"{name.upper()}_FILE" for name in SECRETS}
    clean = {name: value for name, value in os.environ.items() if name not in ours}
    with Simulator() as simulator, (directory / "up.log").open("wb") as log:
        keys = dict.fromkeys(("OPENAI_API_KEY", "GEMINI_API_KEY", "DEEPSEEK_API_KEY"), "sk-test-0123456789")
        given = {**clean, **simulator.base_urls, **keys, "FLOWER_PORT": str(port), "METRICS_PORT": "0"}
        command = [*CHASQUI, "up", "--concurrency", "1", "--flower"]
        process = subprocess.Popen(command, cwd=directory, env=given, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout is not None
        try:
            with process, process.stdout:
                told = []
                for line in process.stdout:
                    told.append(line)
                    if "is ready" in line:
                        break
                found = re.search(rf"http://127\.0\.0\.1:{port} \(user: chasqui, password: (\S+)\)", "".join(told))
                assert found, told
                up = Up(process, directory, port, found[1], told)
                assert wait_until(lambda: process.poll() is not None or hears_workers(up), START_S)
                assert process.poll() is None, (directory / "up.log").read_text()[-3000:]
                yield up
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)
        finally:
            # A killed `up` leaves its servers to the next user.
            with embedded_servers(directory / ".chasqui"):
                pass


def hears_workers(up: Up) -> bool:
    """Whether Flower has had a sign of life of both workers: their events reach it, nobody has to switch them on."""
    try:
        online = re.findall(r'^flower_worker_online\{worker="(\w+)@.+"\} 1.0', up.get("/metrics").text, re.MULTILINE)
        return {"flow", "ai"} <= set(online) and len(up.get("/api/workers?refresh=1").json()) >= 2
    except (requests.ConnectionError, ValueError):
        return False


def test_nobody_gets_in_without_the_password(up: Up) -> None:
    """Neither to a page nor to the API; it is told once, and stands in no command line."""
    for path in ("/", "/tasks", "/broker", "/api/workers", "/api/tasks", "/api/queues/length"):
        assert requests.get(f"http://127.0.0.1:{up.port}{path}", timeout=GUARD_S).status_code == 401, path
        assert up.get(path, ("chasqui", "chasqui")).status_code == 401, path
        assert up.get(path).status_code == 200, path
    assert "".join(up.told).count(up.password) == 1
    assert len(up.password) >= 20
    assert not any(up.password in " ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"]))


def test_it_listens_here_alone(up: Up) -> None:
    """Nobody on another machine reaches it."""
    listening = [one.laddr.ip for one in psutil.net_connections("inet") if one.laddr and one.laddr.port == up.port]
    assert set(listening) == {"127.0.0.1"}


def test_tasks_and_workers_can_be_read(up: Up) -> None:
    """Names as they stand in the code, arguments as counts. What a foreign producer announces is masked too, also
    where no worker of ours ever sees it.
    """
    with Celery(broker=up.redis_url(), set_as_current=False) as foreign:
        foreign.conf.task_send_sent_event = True
        payload = json.dumps({"message_id": "wamid.zorzal", "from": PHONE, "text": FOREIGN})
        for queue in ("inbound", "nobody"):
            foreign.send_task("worker.receive", (payload,), queue=queue, argsrepr=FOREIGN)
    sent = subprocess.run(
        [*CHASQUI, "send", "--from", PHONE, TEXT],
        cwd=up.directory,
        capture_output=True,
        text=True,
        timeout=GUARD_S,
        check=False,
    )
    assert sent.returncode == 0, sent.stderr
    names = {f"worker.{step}" for step in STEPS}
    assert wait_until(lambda: names <= {t["name"] for t in up.tasks().values() if t["state"] == "SUCCESS"}, GUARD_S)
    assert "PENDING" in {task["state"] for task in up.tasks().values()}
    for task in up.tasks().values():
        expected = r"masked|\(\)" if task["name"] not in names - {"worker.receive"} else r"\d+ turns?"
        assert re.fullmatch(expected, task["args"]), task
        assert task["kwargs"] in ("{}", "masked")
    workers = up.get("/api/workers?refresh=1").json()
    queues = {name.split("@")[0]: {queue["name"] for queue in of["active_queues"]} for name, of in workers.items()}
    assert queues == {"flow": {"flow", "inbound"}, "ai": {"ai", "periodic"}}


def test_nothing_personal_is_on_any_page(up: Up) -> None:
    """Phone numbers, texts, WhatsApp's ids, keys, passwords: neither on a page nor in an answer of the API."""
    tasks, workers = up.tasks(), up.get("/api/workers").json()
    assert len(tasks) >= len(STEPS)
    paths = ["/", "/tasks", "/broker", "/metrics", "/api/tasks", "/api/workers?refresh=1", "/api/queues/length"]
    paths += [f"/task/{name}" for name in tasks] + [f"/api/task/info/{name}" for name in tasks]
    paths += [f"/worker/{quote(name)}" for name in workers]
    pages = {path: up.get(path) for path in paths}
    assert {page.status_code for page in pages.values()} == {200}
    secrets = (PHONE, "zorzal", "yerbas", "wamid.", "sk-test", up.password, str(urlsplit(up.redis_url()).password))
    assert [(path, secret) for path, page in pages.items() for secret in secrets if secret in page.text] == []


def test_it_is_for_looking_only(up: Up) -> None:
    """Nobody stops a worker or starts a task through it."""
    worker = next(iter(up.get("/api/workers").json()))
    for path in (f"/api/worker/shutdown/{worker}", "/api/task/async-apply/worker.trim_streams"):
        answer = requests.post(
            f"http://127.0.0.1:{up.port}{path}", auth=("chasqui", up.password), json={}, timeout=GUARD_S
        )
        assert answer.status_code == 403, path


def test_it_ends_with_the_service(up: Up) -> None:
    """Ctrl-C ends all; what was logged is JSON to the last line, and holds neither the password nor anybody's words."""
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(GUARD_S) == 0
    logged = (up.directory / "up.log").read_text()
    assert "flower.command" in {json.loads(line)["logger"] for line in logged.splitlines()}
    assert [secret for secret in (up.password, PHONE, "zorzal", "sk-test") if secret in logged] == []
    with pytest.raises(requests.ConnectionError):
        up.get("/")

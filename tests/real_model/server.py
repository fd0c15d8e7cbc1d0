"""The model's server as a child process on a port of its own, ended whatever happens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import requests

from real_model.install import Installed
from real_model.recipe import Server
from worker.errors import ConfigurationError
from worker.runtime.embedded.processes import last_lines, wait_until
from worker.runtime.embedded.server import HOST, free_port
from worker.runtime.supervisor import Program, running

#: Loading the weights takes seconds; the rest is for a disk and cores that others use too.
READY_TIMEOUT_S: Final = 120.0
LOOK_TIMEOUT_S: Final = 2.0
TRY_TIMEOUT_S: Final = 180.0
#: About as much as the service asks and gets: a thousand tokens of instructions, fifty of answer.
TRY: Final = {"messages": [{"role": "user", "content": "one two three four five " * 200}], "max_tokens": 50}


@contextmanager
def model_server(server: Server, installed: Installed, log: Path, api_key: str) -> Iterator[str]:
    """The base URL of the running server, which wants `api_key`. Raises ConfigurationError with the end of its log
    where it is not ready within two minutes, or ends.
    """
    port = free_port()
    program = Program("model", _command(server, installed, port, api_key))
    with log.open("wb") as output, running([program], output) as supervisor:
        url = f"http://{HOST}:{port}/v1"
        child = supervisor.children[0].process
        answers = wait_until(lambda: child.poll() is not None or _answers(url, api_key), READY_TIMEOUT_S)
        if not answers or child.poll() is not None:
            raise ConfigurationError(
                f"the model's server does not start: {last_lines(log.read_text('utf-8', 'replace').splitlines())}"
            )
        yield url


def _command(server: Server, installed: Installed, port: int, api_key: str) -> tuple[str, ...]:
    given = {
        "model": installed.weights,
        "host": HOST,
        "port": port,
        "n_ctx": server.context_tokens,
        "n_threads": server.threads,
        "api_key": api_key,
    }
    options = (word for name, value in given.items() for word in (f"--{name}", str(value)))
    return (str(installed.python), "-m", "llama_cpp.server", *options)


def _answers(url: str, api_key: str) -> bool:
    try:
        answer = requests.get(f"{url}/models", headers={"Authorization": f"Bearer {api_key}"}, timeout=LOOK_TIMEOUT_S)
    except requests.RequestException:
        return False
    return answer.ok


def seconds_of_a_call(url: str, api_key: str) -> float:
    """How long this machine takes for a request as large as the service's. Raises ConfigurationError where it takes
    longer than three minutes, with which nothing can be tried.
    """
    began = time.monotonic()
    headers = {"Authorization": f"Bearer {api_key}"}
    try:
        requests.post(f"{url}/chat/completions", json=TRY, headers=headers, timeout=TRY_TIMEOUT_S).raise_for_status()
    except requests.RequestException as exc:
        raise ConfigurationError(f"the model does not answer a first call: {type(exc).__name__}.") from exc
    return time.monotonic() - began

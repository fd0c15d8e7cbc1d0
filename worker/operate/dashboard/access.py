"""Who may see the dashboard and who may act: passwords, logins, and how often somebody may guess."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network

from pydantic import SecretStr

from worker.errors import ConfigurationError
from worker.settings import Settings

#: A working day; then the password is asked for again.
LOGIN_S = 12 * 3_600
MAX_LOGINS = 1_000
#: Wrong passwords from one address within GUESS_WINDOW_S, after which it has to wait.
MAX_GUESSES = 5
GUESS_WINDOW_S = 300.0
#: Addresses remembered; somebody who has more than this many is not stopped by counting them.
MAX_ADDRESSES = 10_000


class Role(StrEnum):
    """READ may look, ADMIN may also replay and discard dead letters."""

    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who may see the page. `login` is None where no password is set."""

    role: Role
    login: str | None = None


def is_local(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Access:
    """Logins in the memory of this process: a restart asks everybody for the password again. Times in seconds."""

    def __init__(self, configuration: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises ConfigurationError where the page would be open to others, or a password would mean two roles."""
        self._passwords = {
            Role.ADMIN: _plain(configuration.dashboard_admin_password),
            Role.READ: _plain(configuration.dashboard_password),
        }
        self._clock = clock
        self._logins: dict[str, tuple[Role, float]] = {}
        self._guesses: dict[str, list[float]] = {}
        self._check(configuration.dashboard_host)

    @property
    def asks(self) -> bool:
        """Whether a password is needed at all. Without one the page is for this machine, and read only."""
        return any(self._passwords.values())

    def log_in(self, password: str, address: str) -> Visitor | None:
        """A new login with the role of this password; None where it is wrong. `must_wait_s` comes first."""
        role = self._role_of(password)
        if role is None:
            self._remember_guess(_network(address))
            return None
        self._guesses.pop(_network(address), None)
        return self._new_login(role)

    def log_out(self, login: str | None) -> None:
        """Ends a login, on all pages that were opened with it."""
        self._logins.pop(login or "", None)

    def visitor(self, login: str | None) -> Visitor | None:
        """Whoever comes with this login; None where it is unknown or too old."""
        if not self.asks:
            return Visitor(Role.READ)
        role, until = self._logins.get(login or "", (Role.READ, 0.0))
        return Visitor(role, login) if self._clock() < until else None

    def must_wait_s(self, address: str) -> float:
        """Seconds until this address may try a password again; 0 where it may now."""
        recent = self._recent_guesses(_network(address))
        return recent[-MAX_GUESSES] + GUESS_WINDOW_S - self._clock() if len(recent) >= MAX_GUESSES else 0.0

    def _check(self, host: str) -> None:
        if not self.asks and not is_local(host):
            raise ConfigurationError(
                f"DASHBOARD_HOST is {host}, which others can reach. Set DASHBOARD_PASSWORD (may look) or "
                "DASHBOARD_ADMIN_PASSWORD (may also replay and discard), or leave DASHBOARD_HOST at 127.0.0.1."
            )
        if self.asks and len(set(self._passwords.values())) == 1:
            raise ConfigurationError("DASHBOARD_PASSWORD and DASHBOARD_ADMIN_PASSWORD must differ.")

    def _role_of(self, password: str) -> Role | None:
        """Compares with every password, whichever fits, in a time that tells nothing."""
        given = password.encode()
        fits = [role for role, right in self._passwords.items() if hmac.compare_digest(right, given) and right]
        return fits[0] if fits else None

    def _new_login(self, role: Role) -> Visitor:
        now = self._clock()
        alive = [(login, entry) for login, entry in self._logins.items() if entry[1] > now]
        self._logins = dict(alive[-MAX_LOGINS + 1 :])
        login = secrets.token_urlsafe(32)
        self._logins[login] = (role, now + LOGIN_S)
        return Visitor(role, login)

    def _remember_guess(self, network: str) -> None:
        recent = [*self._recent_guesses(network), self._clock()][-MAX_GUESSES:]
        self._guesses.pop(network, None)
        self._guesses[network] = recent
        while len(self._guesses) > MAX_ADDRESSES:
            self._guesses.pop(next(iter(self._guesses)))

    def _recent_guesses(self, network: str) -> list[float]:
        return [at for at in self._guesses.get(network, ()) if self._clock() - at < GUESS_WINDOW_S]


def _plain(password: SecretStr | None) -> bytes:
    return password.get_secret_value().encode() if password else b""


def _network(address: str) -> str:
    """Whose guesses count together: an IPv4 address, or the /64 that one IPv6 customer has to itself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else address

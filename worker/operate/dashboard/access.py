"""Access to the dashboard: passwords and their roles, logins, and a limit on guesses."""

import hmac
import secrets
import time
from collections.abc import Callable
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network

from worker.errors import ConfigurationError
from worker.settings import Settings

#: A working day; then the password is asked for again.
LOGIN_S = 12 * 3_600
#: Wrong passwords from one address within GUESS_WINDOW_S, after which it has to wait.
MAX_GUESSES = 5
GUESS_WINDOW_S = 300.0
#: Addresses remembered; somebody who has more than this many is not stopped by counting them.
MAX_ADDRESSES = 10_000


class Role(StrEnum):
    """READ may look, ADMIN may also act, and sees whom it is about."""

    READ = "read"
    ADMIN = "admin"


def is_local(host: str) -> bool:
    """Returns whether an address to listen on can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Access:
    """Logins in the memory of this process: a restart asks everybody for the password again. Raises ConfigurationError
    where the page would be open to others, or one password would mean both roles.
    """

    def __init__(self, configuration: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        given = {Role.ADMIN: configuration.dashboard_admin_password, Role.READ: configuration.dashboard_password}
        self._passwords = {role: secret.get_secret_value() for role, secret in given.items() if secret}
        self._clock = clock
        self._logins: dict[str, tuple[Role, float]] = {}
        self._guesses: dict[str, list[float]] = {}
        if not self.asks and not is_local(host := configuration.dashboard_host):
            raise ConfigurationError(
                f"DASHBOARD_HOST is {host}, which others can reach. Set DASHBOARD_PASSWORD (may look) or "
                "DASHBOARD_ADMIN_PASSWORD (may also act), or leave DASHBOARD_HOST at 127.0.0.1."
            )
        if len(set(self._passwords.values())) < len(self._passwords):
            raise ConfigurationError("DASHBOARD_PASSWORD and DASHBOARD_ADMIN_PASSWORD must differ.")

    @property
    def asks(self) -> bool:
        """Returns whether a password is needed at all. Without one the page is for this machine, and read only."""
        return bool(self._passwords)

    def log_in(self, password: str, address: str) -> str | None:
        """Returns a new login, or None where the password is wrong. `must_wait_s` comes first."""
        # Every password is compared, whichever fits, in a time that tells nothing.
        given = password.encode()
        fits = [role for role, right in self._passwords.items() if hmac.compare_digest(right.encode(), given)]
        if not fits:
            self._remember_guess(_network(address))
            return None
        self._guesses.pop(_network(address), None)
        login, now = secrets.token_urlsafe(32), self._clock()
        alive = {other: entry for other, entry in self._logins.items() if entry[1] > now}
        self._logins = alive | {login: (fits[0], now + LOGIN_S)}
        return login

    def log_out(self, login: str | None) -> None:
        """Ends a login, on all pages that were opened with it."""
        self._logins.pop(login or "", None)

    def role(self, login: str | None) -> Role | None:
        """Returns what this login allows; None where it is unknown or too old."""
        if not self.asks:
            return Role.READ
        role, until = self._logins.get(login or "", (None, 0.0))
        return role if self._clock() < until else None

    def must_wait_s(self, address: str) -> float:
        """Returns the seconds until this address may try a password again; 0 where it may now."""
        recent = self._recent_guesses(_network(address))
        return recent[-MAX_GUESSES] + GUESS_WINDOW_S - self._clock() if len(recent) >= MAX_GUESSES else 0.0

    def _remember_guess(self, network: str) -> None:
        """The address goes to the end, so that the ones forgotten are those that have not tried for longest."""
        guesses = [*self._recent_guesses(network), self._clock()][-MAX_GUESSES:]
        self._guesses.pop(network, None)
        self._guesses[network] = guesses
        if len(self._guesses) > MAX_ADDRESSES:
            del self._guesses[next(iter(self._guesses))]

    def _recent_guesses(self, network: str) -> list[float]:
        return [at for at in self._guesses.get(network, ()) if self._clock() - at < GUESS_WINDOW_S]


def _network(address: str) -> str:
    """Returns whose guesses count together: an IPv4 address, or the /64 that one IPv6 customer has to itself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else address

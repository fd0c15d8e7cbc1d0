"""Errors of servers in words of ours: their own may hold a URL with a password, or what a customer wrote."""

from __future__ import annotations

from collections.abc import Iterator
from ssl import SSLCertVerificationError

import psycopg2  # type: ignore[import-untyped]  # it ships none
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.exceptions import TimeoutError as RedisTimeout
from sqlalchemy.exc import ArgumentError, DBAPIError, ProgrammingError

from worker.errors import ConfigurationError

#: What libpq and PgBouncer say of a connection that is refused, and will be until somebody does something.
_REFUSED = {
    "password authentication failed": "it refuses the user or the password",
    "no such user": "it refuses the user or the password",
    "no password supplied": "it wants a password",
    "root certificate file": "the file of certificates that the URL names cannot be read",
    "invalid connection option": "an option in the URL is none of PostgreSQL's",
    "invalid sslmode value": "an option in the URL has a value that PostgreSQL does not know",
    "invalid integer value": "an option in the URL has a value that PostgreSQL does not know",
    "no pg_hba.conf entry": "its pg_hba.conf lets nobody in from here",
    "does not exist": "there is no such database or user",
    "no such database": "there is no such database or user",
    "unsupported startup parameter": "a pooler refuses an option in the URL's query",
    "certificate verify failed": "its certificate cannot be trusted",
    "does not support SSL": "it knows no TLS",
}
#: What they say of one that may be made later.
_AWAY = {
    "could not translate host name": "no machine has that name",
    "timeout expired": "no answer in time",
    "refused": "nobody listens there",
    "starting up": "it is just starting",
    "too many clients": "it has no connection left",
}
#: What stands in an error where Redis or a Sentinel wants another password; redis-py tells of Sentinels in a text.
_LOCKED = ("NOAUTH", "WRONGPASS", "invalid username-password", "invalid password", "AuthenticationError")
#: What RabbitMQ answers: access refused, not allowed (there is no such virtual host).
_CLOSED = {403: "it refuses the user or the password", 530: "there is no such virtual host for this user"}


def reason_of(error: Exception) -> str:
    """Returns an error in words."""
    if isinstance(error, ConfigurationError | ArgumentError):
        return "its URL cannot be read"
    if isinstance(error, ProgrammingError):
        return "the schema is not what this version expects"
    if isinstance(error, DBAPIError | psycopg2.Error):
        told = error.orig if isinstance(error, DBAPIError) else error
        known = (words for sign, words in (_REFUSED | _AWAY).items() if sign in str(told))
        return f"no connection: {next(known, type(told).__name__)}"
    if refused := _refused_by_broker(error):
        return refused
    if isinstance(error, RedisTimeout | TimeoutError):
        return "no answer in time"
    if isinstance(error, RedisError | ConnectionError):
        return f"no connection: {'nobody listens there' if 'refused' in str(error) else type(error).__name__}"
    # Celery's client hides who was to blame behind an error of its own.
    if isinstance(error.__cause__, Exception):
        return reason_of(error.__cause__)
    return f"the check failed: {type(error).__name__}"


def is_refused(error: Exception) -> bool:
    """Returns whether waiting does not help: the server says the same until a setting, ours or its own, is changed."""
    if isinstance(error, ArgumentError):
        return True
    if isinstance(error, DBAPIError | psycopg2.Error):
        return any(sign in str(error) for sign in _REFUSED)
    return any(_refused_by_broker(cause) is not None for cause in _causes(error))


def _refused_by_broker(error: BaseException) -> str | None:
    """Returns why a Redis, a Sentinel or RabbitMQ refuses us; None where it is something that passes."""
    if isinstance(error, SSLCertVerificationError) or "certificate verify failed" in str(error):
        return "its certificate cannot be trusted"
    if isinstance(error, AuthenticationError | NoPermissionError):
        return "it refuses the password"
    if isinstance(error, RedisError) and any(sign in str(error) for sign in _LOCKED):
        return "it refuses the password"
    if "limit" in str(getattr(error, "reply_text", "")):  # of connections, while a fleet restarts
        return None
    return _CLOSED.get(getattr(error, "reply_code", None) or 0)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

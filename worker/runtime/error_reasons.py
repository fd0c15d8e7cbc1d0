"""Errors of servers in words of ours: their own may hold a URL with a password, or what a customer wrote."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from ssl import SSLCertVerificationError

import psycopg2  # type: ignore[import-untyped]  # it ships none
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.exceptions import TimeoutError as RedisTimeout
from redis.sentinel import MasterNotFoundError
from sqlalchemy.exc import ArgumentError, DBAPIError, ProgrammingError

from worker.errors import ConfigurationError

_WORDS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_AMQP: dict[str, str] = _WORDS["amqp"]
_POSTGRES: dict[str, str] = _WORDS["refused"] | _WORDS["away"]


def reason_of(error: Exception) -> str:
    """Returns an error in words."""
    if isinstance(error, ConfigurationError | ArgumentError):
        return "its URL cannot be read"
    if isinstance(error, ProgrammingError):
        return "the schema is not what this version expects"
    if isinstance(error, DBAPIError | psycopg2.Error):
        told = error.orig if isinstance(error, DBAPIError) else error
        known = (words for sign, words in _POSTGRES.items() if sign in str(told))
        return f"no connection: {next(known, type(told).__name__)}"
    if refused := _refused_by_broker(error):
        return refused
    if isinstance(error, MasterNotFoundError):
        return "no Sentinel names a master that lives: does each of them answer, and know the group's name?"
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
        return any(sign in str(error) for sign in _WORDS["refused"])
    return any(_refused_by_broker(cause) is not None for cause in _causes(error))


def _refused_by_broker(error: BaseException) -> str | None:
    """Returns why a Redis, a Sentinel or RabbitMQ refuses us; None where it is something that passes."""
    if isinstance(error, SSLCertVerificationError) or "certificate verify failed" in str(error):
        return "its certificate cannot be trusted"
    is_locked = isinstance(error, RedisError) and any(sign in str(error) for sign in _WORDS["redis_password"])
    if is_locked or isinstance(error, AuthenticationError | NoPermissionError):
        return "it refuses the password"
    if "limit" in str(getattr(error, "reply_text", "")):  # of connections, while a fleet restarts
        return None
    return _AMQP.get(str(getattr(error, "reply_code", None)))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

"""Structured logs: JSON in production, readable on a terminal. No phone number, text or key ever reaches them: events
carry kinds and counts, and what libraries log passes the same redaction.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

#: Seven digits in a row or more may be somebody's number, and so may Meta's business-scoped ids of people. Kept: ids
#: of ours (uuid), hashes, decimals.
NUMBERS = re.compile(
    r"(?P<kept>\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{32,}\b|\b\d{1,6}\.\d+)"
    r"|\+?\d{7,}|\b[A-Z]{2}\.(?:ENT\.)?\w{8,}"
)
#: user:password@ of a URL, keys of the providers, WhatsApp's message ids (they contain the phone number).
SECRETS = re.compile(r"(?<=://)[^/\s]*@|\b(?:sk|AIza)[-\w]{8,}|\bBearer \S+|\bwamid\.\S+")
#: An id of ours, which is most of what differs from line to line.
OWN_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: What these say of every task and every migration at INFO costs more than it tells; at DEBUG the pool also prints what
#: a foreign producer shows of its arguments.
CHATTY_LOGGERS = ("alembic", "celery.app.trace", "celery.pool", "celery.worker.strategy")
#: How much of a traceback is worth a line.
FRAMES = 6
#: The logger that prints bodies, and how those records begin.
CONSUMER_LOGGER = "celery.worker.consumer.consumer"
ABOUT_BODIES = ("Received ", "Can't decode message body")


def logger(name: str) -> Any:
    """Returns a structlog logger. `Any` because structlog's bound loggers are made at run time."""
    return structlog.get_logger(name)


@contextmanager
def warned(by: Any, event: str, *errors: type[Exception], **facts: object) -> Iterator[None]:
    """Logs such an error of the block as a warning of a logger, by its kind; what comes behind the block goes on."""
    try:
        yield
    except errors as exc:
        by.warning(event, **facts, error=type(exc).__name__)


def redacted(text: str) -> str:
    """Masks numbers that may be phones, and everything that may be a secret."""
    return text if OWN_ID.fullmatch(text) else _redacted(text)


@lru_cache(maxsize=1_000)
def _redacted(text: str) -> str:
    return NUMBERS.sub(lambda found: found["kept"] or "[number]", SECRETS.sub("[secret]", text))


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Redacts every string value of an event, nested ones too (structlog processor)."""
    return {key: _redact_value(value) for key, value in event.items()}


def _redact_value(value: object) -> object:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {redacted(str(key)): _redact_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redact_value(inner) for inner in value]
    return value if isinstance(value, int | float | bool | None) else redacted(str(value))


def traceback_without_values(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replaces an exception by its kind and where it was raised (structlog processor). Its text stays out, since it may
    quote what a customer wrote.
    """
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
        event["error"] = event.get("error") or type(error).__name__
        event["at"] = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def json_line(_logger: object, _method: str, event: EventDict) -> str:
    """Renders the event as JSON in ASCII, whatever is in it (structlog processor, the last one)."""
    try:
        line = orjson.dumps(event)
        if line.isascii():
            return line.decode()
    except TypeError:
        # A number that is too large for orjson, half a character.
        pass
    return json.dumps(event, default=str, separators=(",", ":"))


class Lines:
    """Writer of our own lines: on the way through the standard library's logging each took half as long again. A line
    that cannot be written is dropped, as there: a full disk or a closed pipe must not fail a customer's turn.
    """

    def __init__(self, stream: TextIO, name: str = "") -> None:
        self.name = name
        self._stream = stream

    def msg(self, line: str) -> None:
        """Writes a line, without a lock: a signal's handler could find it held by what it has interrupted."""
        with suppress(OSError, ValueError):
            self._stream.write(f"{line}\n")
            self._stream.flush()

    debug = info = warning = error = critical = exception = msg


class WithoutMessageBody(logging.Filter):
    """Filter of the bodies that Celery prints of messages it does not understand; what happened stays."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shortens warnings and errors to their first line, those about messages to its first words; returns True."""
        if record.levelno >= logging.WARNING:
            quotes = str(record.msg).startswith(ABOUT_BODIES)
            text = str(record.msg).split("%", 1)[0] if quotes else record.getMessage()
            record.msg, record.args = text.strip().split("\n", 1)[0], ()
            record.exc_info = None
        return True


def log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Logs the error that ends the process as one line, without its text (`sys.excepthook`)."""
    logger(__name__).critical("uncaught", exc_info=(kind, error, trace))


def _set_up_root(handler: logging.Handler, level: str) -> None:
    """Sends to a handler what libraries and Python's warnings say; of chatty ones warnings alone."""
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    for name in CHATTY_LOGGERS:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.getLogger(CONSUMER_LOGGER).addFilter(WithoutMessageBody())


def configure(log_format: str = "auto", level: str = "INFO") -> None:
    """Sets up structlog, and the standard library's root logger for what libraries log, to write to stderr; Python's
    warnings go there too.

    Args:
        log_format: json, console, or auto (console on a terminal).
        level: DEBUG, INFO, WARNING or ERROR.
    """
    stream = sys.stderr
    as_json = log_format == "json" or (log_format == "auto" and not stream.isatty())
    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
    ]
    timestamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    renderer: Processor = json_line if as_json else structlog.dev.ConsoleRenderer()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*first, timestamp, traceback_without_values],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, renderer],
        )
    )
    _set_up_root(handler, level)
    if as_json:
        sys.excepthook = log_uncaught
    structlog.configure(
        processors=[*first, traceback_without_values, redact, timestamp, renderer],
        logger_factory=lambda *names: Lines(stream, *names),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )

"""No phone number, text or key reaches a log line."""

from __future__ import annotations

import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.log import configure, logger, redacted
from worker.telemetry.recording import turn_ended

PHONE = "5491122334455"
UUID_TEXT = "0190a1b2-1234-4567-8901-123456789012"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class Lines:
    """What was logged since the last look."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    def text(self) -> str:
        """All of it."""
        return self._stream.getvalue()

    def last(self) -> dict[str, Any]:
        """The last line, decoded."""
        return dict(json.loads(self.text().splitlines()[-1]))


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """Logging as in production, into a string; everything as before afterwards."""
    root = logging.getLogger()
    before = root.handlers, root.level
    hook, show_warning = sys.excepthook, warnings.showwarning
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure("json", "INFO")
    yield Lines(stream)
    root.handlers, _ = before
    root.setLevel(before[1])
    logging.captureWarnings(False)
    sys.excepthook, warnings.showwarning = hook, show_warning
    structlog.reset_defaults()


@pytest.mark.parametrize(
    "text",
    [
        PHONE,
        f"+{PHONE}",
        f"session:{PHONE}",
        f"turn-{PHONE}",
        f"{PHONE}-1763800000",
        f"{PHONE}@s.whatsapp.net",
        f"from={PHONE}.",
        f"{{'from': '{PHONE}'}}",
        f"tel{PHONE}",
        f"a{PHONE}f",
        f"wa.me/{PHONE}",
        "1122334",
    ],
)
def test_phone_numbers_are_masked(text: str) -> None:
    """Wherever they stand."""
    assert "[number]" in redacted(text)
    assert not any(part in redacted(text) for part in ("1122334", "5491"))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("redis://:hunter2@127.0.0.1:6379/0", "redis://[secret]127.0.0.1:6379/0"),
        ("postgresql://ana:hunter2@db/shop", "postgresql://[secret]db/shop"),
        ("amqp://ana:hun@ter2@db/shop", "amqp://[secret]db/shop"),
        ("key sk-proj-hunter2_AbC-123", "key [secret]"),
        ("key=AIzaSyHunter2hunter2", "key=[secret]"),
        ("Authorization: Bearer hunter2.x", "Authorization: [secret]"),
        ("wamid.HBgNNTQ5MTEyMjMzNDQ1NRUCABIYFA== lost", "[secret] lost"),
        ("US.13491208655302741918 wrote", "[number] wrote"),
        ("AR.ENT.abcDEF1234567 wrote", "[number] wrote"),
    ],
)
def test_secrets_and_ids_of_people_are_masked(text: str, kept: str) -> None:
    """Passwords in URLs, keys, WhatsApp's message ids (they hold the phone number), business-scoped ids."""
    assert redacted(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        UUID_TEXT,
        f"token {UUID_TEXT} lost",
        SHA256,
        "0.123456789",
        "12.3456789012",
        "2026-11-22T09:00:00.123456Z",
        "127.0.0.1:6379",
    ],
)
def test_what_operators_need_survives(text: str) -> None:
    """Our own ids, hashes, decimals, times, addresses."""
    assert redacted(text) == text


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(alphabet="abcf -.:+/@'\"{}[]_=,", max_size=8), st.text(alphabet="xyz -:/@'\"{}[]_=,", max_size=8))
def test_a_phone_is_masked_whatever_surrounds_it(before: str, behind: str) -> None:
    """No frame of letters and signs lets one through."""
    assert PHONE not in redacted(f"{before}{PHONE}{behind}")


def test_every_value_of_an_event_is_redacted(lines: Lines) -> None:
    """Nested ones, keys, bytes and objects too; numbers stay numbers."""
    event = {
        "note": PHONE,
        "list": [PHONE, {"to": PHONE}],
        "by": {PHONE: 1},
        "raw": PHONE.encode(),
        "id": UUID(UUID_TEXT),
    }
    logger("test").info("seen", **event, left_s=0.123456789, turns=12345678, none=None, yes=True)
    assert PHONE not in lines.text()
    shown = lines.last()
    assert (shown["event"], shown["level"], shown["id"]) == ("seen", "info", UUID_TEXT)
    assert (shown["left_s"], shown["turns"], shown["none"], shown["yes"]) == (0.123456789, 12345678, None, True)
    assert shown["by"] == {"[number]": 1}


def test_whatever_is_logged_is_a_line(lines: Lines) -> None:
    """An integer of more than 64 bits, keys that are no text, things without any JSON form."""
    logger("test").info("odd", large=1 << 80, keys={1: "a"}, thing=object())
    line = lines.last()
    assert (line["event"], line["large"], line["keys"]) == ("odd", 1 << 80, {"1": "a"})


@pytest.mark.parametrize("value", [2**80, "\ud83d", [2**80, "\udc00 ñ"], float("nan")])
def test_what_is_no_plain_json_is_a_line_too(lines: Lines, value: Any) -> None:
    """A number that is too large, half a character."""
    logger("worker.test").info("seen", value=value, token=UUID_TEXT)
    assert (lines.last()["event"], lines.last()["token"]) == ("seen", UUID_TEXT)


def test_lines_are_ascii(lines: Lines) -> None:
    """Whatever the encoding of the stream, and whoever takes U+2028 for the end of a line."""
    logger("worker.test").info("seen", value="ñ \u2028 😀")
    assert lines.text().isascii()
    assert lines.last()["value"] == "ñ \u2028 😀"


def test_a_line_that_cannot_be_written_fails_nothing(monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
    """The disk of the log is full, or whoever read it is gone."""
    with Path("/dev/full").open("w", buffering=1, encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stderr", full)
        configure("json", "INFO")
        logger("test").error("full")
        logger("test").info("full")
        with suppress(OSError):
            full.close()
        logger("test").warning("closed")
    assert lines.text() == ""


def test_lines_of_many_threads_stay_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
    """As they go to a file, with what libraries log between them."""
    path = tmp_path / "log"
    with path.open("w", buffering=1, encoding="utf-8") as stream, ThreadPoolExecutor(8) as threads:
        monkeypatch.setattr(sys, "stderr", stream)
        configure("json", "INFO")

        def write(thread: int) -> None:
            for number in range(200):
                logger("test").info("ours", thread=thread, number=number, filling="x" * 500)
                logging.getLogger("theirs").warning("theirs %s", "y" * 500)

        list(threads.map(write, range(8)))
    written = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert len({(line["thread"], line["number"]) for line in written if line["event"] == "ours"}) == 8 * 200
    assert len(written) == 2 * 8 * 200
    assert lines.text() == ""


def test_an_exceptions_text_is_never_printed(lines: Lines) -> None:
    """It may quote what a customer wrote; its kind and place are enough. Its cause neither."""
    try:
        try:
            raise ValueError("quiero leche, soy Ana")
        except ValueError as exc:
            raise KeyError("Av. Corrientes 1234") from exc
    except KeyError:
        logger("test").exception("turn_failed", token=UUID_TEXT)
    shown = lines.last()
    assert (shown["event"], shown["error"], shown["token"]) == ("turn_failed", "KeyError", UUID_TEXT)
    assert shown["at"][-1].startswith("test_log.py:")
    assert not any(word in lines.text() for word in ("leche", "Ana", "Corrientes"))


def test_a_kind_that_was_named_stays(lines: Lines) -> None:
    """The caller knows better what it was."""
    try:
        raise ValueError("secreto")
    except ValueError:
        logger("test").exception("x", error="InvalidDecision")
    assert lines.last()["error"] == "InvalidDecision"


def test_what_libraries_log_is_redacted_too(lines: Lines) -> None:
    """Messages, arguments and exceptions of the standard library's loggers."""
    try:
        raise ValueError("quiero leche")
    except ValueError:
        logging.getLogger("some.library").exception("cannot reach redis://:hunter2@h for %s", PHONE, stack_info=True)
    shown = lines.last()
    assert shown["event"] == "cannot reach redis://[secret]h for [number]"
    assert (shown["logger"], shown["error"]) == ("some.library", "ValueError")
    assert not any(word in lines.text() for word in ("leche", "hunter2", PHONE))


def test_a_message_celery_does_not_understand_is_not_quoted(lines: Lines) -> None:
    """Its consumer prints the whole body."""
    log = logging.getLogger("celery.worker.consumer.consumer")
    log.error("Received unregistered task of type %s.\nbody: %s", "x", "[quiero leche]", exc_info=ValueError("leche"))
    log.warning("plain line\nquiero leche")
    assert "leche" not in lines.text()
    assert lines.last()["event"] == "plain line"


def test_chatty_loggers_speak_only_of_trouble(lines: Lines) -> None:
    """One line per task would cost more than it tells; levels below the wanted one are not printed at all."""
    logging.getLogger("celery.app.trace").info("Task succeeded")
    logger("test").debug("detail")
    assert lines.text() == ""
    logging.getLogger("celery.app.trace").warning("Task failed")
    assert lines.last()["event"] == "Task failed"


def test_warnings_of_python_are_lines(lines: Lines) -> None:
    """What a library warns of does not stand between the lines as plain text, nor with what it may quote."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"deprecated for {PHONE}", DeprecationWarning, stacklevel=1)
    shown = lines.last()
    assert (shown["logger"], shown["level"]) == ("py.warnings", "warning")
    assert "deprecated for [number]" in shown["event"]


def test_the_error_that_ends_a_process_is_a_line(lines: Lines) -> None:
    """Its kind and its place, without its text."""
    try:
        raise RuntimeError("quiero leche")
    except RuntimeError as exc:
        sys.excepthook(type(exc), exc, exc.__traceback__)
    shown = lines.last()
    assert (shown["event"], shown["level"], shown["error"]) == ("uncaught", "critical", "RuntimeError")
    assert shown["at"][-1].startswith("test_log.py:")
    assert "leche" not in lines.text()


def test_a_turns_line_says_what_is_known(lines: Lines) -> None:
    """Of one that the sweep found, the row alone; one that was lost has no time."""
    row = {"reply_id": UUID_TEXT, "cost_microusd": 1_500_000, "committed": False, "messages": 2, "calls": 1}
    names = ("source", "provider", "model", "intent", "complexity", "session_cache", "channel")
    turn_ended(row | dict.fromkeys(names), None)
    shown = lines.last()
    assert (shown["event"], shown["token"], shown["cost_usd"], shown["total_ms"]) == (
        "turn_ended",
        UUID_TEXT,
        1.5,
        None,
    )
    assert "steps_ms" not in shown


@pytest.mark.parametrize(("given", "terminal", "is_json"), [("auto", False, True), ("auto", True, False)])
def test_the_format_follows_the_terminal(
    given: str, terminal: bool, is_json: bool, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    """People read a terminal, programs read the rest; `json` and `console` decide it."""
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    for log_format, expected in ((given, is_json), ("json", True), ("console", False)):
        configure(log_format, "INFO")
        logger("test").warning("seen")
        assert stream.getvalue().splitlines()[-1].startswith("{") == expected


def test_the_pool_does_not_print_what_a_foreign_producer_shows(lines: Lines) -> None:
    """Not even at DEBUG, where it prints the properties of every message; what goes wrong in it is still told."""
    logging.getLogger().setLevel(logging.DEBUG)
    pool = logging.getLogger("celery.pool")
    pool.debug("TaskPool: Apply %s (args:%s)", "task", {"properties": {"argsrepr": "quiero leche"}})
    pool.warning("the pool is broken")
    assert [json.loads(line)["event"] for line in lines.text().splitlines()] == ["the pool is broken"]

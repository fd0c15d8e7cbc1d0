"""`chasqui dead` and `chasqui erase` as they are typed: what they print, what they refuse, how they exit."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import redis
import structlog
from click.testing import CliRunner, Result
from helpers.basics import REPOSITORY
from helpers.command_line import run_in
from helpers.factories import ANA, BRUNO, accept, accept_one, answer, commit, commit_row, inbound, row, rows
from sqlalchemy import Connection, text

from worker.operate.cli import main
from worker.operate.commands.terminal import harmless, masked, out
from worker.redisdb.streams import Streams
from worker.settings import Settings

REASON = "given up after 5 attempts"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Commands configure the logging of their process, which here is everybody's."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    yield
    root.handlers = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _servers_here(
    settings_here: Settings, connection: Connection, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Empty servers, which the commands find in the environment, and a terminal that is wide enough."""
    monkeypatch.setattr(out, "width", 160)


def chasqui(*words: str, stdin: str = "") -> Result:
    """The outcome of a command."""
    return CliRunner().invoke(main, words, input=stdin, catch_exceptions=False)


def bury(connection: Connection, message_id: str, phone: str = ANA, body: str = "hola") -> int:
    """A dead letter; its number."""
    (turn,) = accept(connection, inbound(message_id, phone, text=body, name="Ana"))
    connection.execute(text("update messages set attempts = 5, last_error = 'KeyError' where state = 'accepted'"))
    commit(connection, commit_row(turn, state="dead", error=REASON, session=None))
    return int(turn["messages"][0]["id"])


def test_the_list_shows_no_number_and_no_text(connection: Connection) -> None:
    """What a list is for: which, when, why; a line each in the order in which they came."""
    letters = [bury(connection, "wamid.1", body="mi secreto"), bury(connection, "wamid.2", BRUNO)]
    answer(connection, "wamid.3")
    for words in (("dead",), ("dead", "list")):
        shown = chasqui(*words)
        assert shown.exit_code == 0
        assert ANA not in shown.stdout
        assert "secreto" not in shown.stdout
        lines = [line.split() for line in shown.stdout.splitlines()[1:]]
        assert [line[0] for line in lines] == [str(letter) for letter in letters]
        assert [line[-1] for line in lines] == ["wamid.1", "wamid.2"]
        for word in (masked(ANA), datetime.now(UTC).strftime("%Y-%m-%d"), "5", "KeyError", *REASON.split()):
            assert word in lines[0]


def test_the_list_for_programs(connection: Connection) -> None:
    """The same as JSON; an empty list where there is none."""
    assert json.loads(chasqui("dead", "list", "--json").stdout) == []
    assert chasqui("dead", "list").stdout == "No dead letters.\n"
    letter = bury(connection, "wamid.1", body="mi secreto")
    (listed,) = json.loads(chasqui("dead", "list", "--json").stdout)
    died_at, sent_at = (datetime.fromisoformat(listed.pop(name)) for name in ("died_at", "sent_at"))
    assert died_at > sent_at
    assert listed == {
        "id": letter,
        "message_id": "wamid.1",
        "customer_phone": masked(ANA),
        "attempts": 5,
        "reason": REASON,
        "last_error": "KeyError",
    }


def test_one_letter_is_shown_whole(connection: Connection) -> None:
    """Number, name and text, by either id; as JSON with the payload under its name."""
    letter = bury(connection, "wamid.1", body="dos leches\nreason: no")
    for reference in (str(letter), "wamid.1"):
        lines = chasqui("dead", "show", reference).stdout.splitlines()
        pairs = {line[:15].strip(): line[16:] for line in lines if line[:1].strip()}
        assert (pairs["customer_phone"], pairs["name"], pairs["text"]) == (ANA, "Ana", "dos leches")
        assert (pairs["reason"], pairs["last_error"], pairs["selection_id"]) == (REASON, "KeyError", "-")
    whole = json.loads(chasqui("dead", "show", "wamid.1", "--json").stdout)
    assert whole["payload"] == {"type": "text", "text": "dos leches\nreason: no", "selection_id": None}
    assert whole["customer_phone"] == ANA


def test_a_customer_cannot_speak_to_the_terminal(connection: Connection) -> None:
    """Neither in control characters nor in rich's markup."""
    bury(connection, "wamid.[red]\x1b]0;owned\x07", body="\x1b[2Jhola\r\x9b1m")
    for words in (("dead", "list"), ("dead", "show", "1")):
        shown = chasqui(*words).stdout
        assert not {"\x1b", "\x07", "\r", "\x9b"} & set(shown)
        assert "[red]" in shown
    assert harmless("¡Hola! 👨‍👩‍👧\n\tñ") == "¡Hola! 👨‍👩‍👧\n\tñ"


@pytest.mark.parametrize("command", ["show", "replay", "discard"])
def test_what_is_no_dead_letter_is_refused(connection: Connection, command: str) -> None:
    """In one line that says why, and nothing is changed."""
    answer(connection, "wamid.1")
    for reference, reason in (("wamid.1", "answered"), ("wamid.9", "no message"), ("77", "no message")):
        refused = chasqui("dead", command, reference)
        assert (refused.exit_code, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
        assert reason in refused.stderr
    assert row(connection, "select state from messages") == {"state": "answered"}


def test_a_letter_is_replayed(connection: Connection) -> None:
    """By its id; the operator is told what may keep the reply from the customer."""
    letter = bury(connection, "wamid.1")
    bury(connection, "wamid.2", BRUNO)
    done = chasqui("dead", "replay", str(letter))
    assert (done.exit_code, done.stdout) == (0, "1 message to be answered again.\n")
    assert "24 h" in done.stderr
    assert "chasqui up" in done.stderr
    states = rows(connection, "select message_id, state, attempts from messages order by message_id")
    assert [tuple(state.values()) for state in states] == [("wamid.1", "accepted", 0), ("wamid.2", "dead", 5)]
    connection.execute(text("update messages set sent_at = now() where message_id = 'wamid.2'"))
    assert "24 h" not in chasqui("dead", "replay", "wamid.2").stderr


def test_all_letters_are_replayed(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """In more commits than one if they are many."""
    monkeypatch.setattr("worker.operate.commands.terminal.CHUNK", 2)
    for number in range(5):
        bury(connection, f"wamid.{number}", f"55110000{number:04}")
    assert chasqui("dead", "replay", "--all").stdout == "5 messages to be answered again.\n"
    assert row(connection, "select count(*) from messages where state = 'accepted'") == {"count": 5}
    again = chasqui("dead", "replay", "--all")
    assert (again.exit_code, again.stdout, again.stderr) == (0, "0 messages to be answered again.\n", "")


@pytest.mark.parametrize("words", [("replay",), ("replay", "1", "--all"), ("show",), ("discard",)])
def test_a_command_without_its_letter_is_wrong_usage(words: tuple[str, ...]) -> None:
    """Exit code 2; all letters are replayed only where that is said."""
    assert chasqui("dead", *words).exit_code == 2


def test_a_letter_is_discarded(connection: Connection) -> None:
    """It is no longer listed."""
    letter = bury(connection, "wamid.1")
    done = chasqui("dead", "discard", "wamid.1")
    assert (done.exit_code, done.stdout) == (0, f"Message {letter} is closed.\n")
    assert json.loads(chasqui("dead", "list", "--json").stdout) == []
    assert row(connection, "select state, reason from messages") == {
        "state": "closed",
        "reason": f"{REASON}; discarded",
    }


def test_help_says_where_unreadable_payloads_are() -> None:
    """They are no dead letters, and an operator looks for them here first."""
    assert "whatsapp:rejected" in chasqui("dead", "--help").stdout


def test_erase_tells_what_it_removed(connection: Connection, redis_client: redis.Redis) -> None:
    """For people and for programs; the second time there is nothing."""
    answer(connection, "m1")
    accept_one(connection, "m2", BRUNO)
    Streams(redis_client).send(json.dumps({"message_id": "m3", "from": ANA, "text": "hola"}))
    counted = json.loads(chasqui("erase", ANA, "--json").stdout)
    assert (counted["messages"], counted["sessions"], counted["inbound"], counted["outbound"]) == (1, 1, 1, 0)
    shown = dict(line.rsplit(maxsplit=1) for line in chasqui("erase", BRUNO, "--yes").stdout.splitlines())
    assert (shown["messages"], shown["unanswered"], shown["dead letters"]) == ("1", "1", "0")
    again = chasqui("erase", ANA)
    assert (again.exit_code, again.stdout) == (0, "Nothing is known of this customer.\n")


@pytest.mark.parametrize("phone", ["erased", "1234", "ana", "", "54+911"])
def test_erase_refuses_what_is_no_customer(phone: str) -> None:
    """Wrong usage; the words of one who mistyped are not repeated."""
    refused = chasqui("erase", phone)
    assert refused.exit_code == 2
    assert "business-scoped" in refused.stderr


def test_a_failing_erasure_exits_with_one_line(connection: Connection, redis_client: redis.Redis) -> None:
    """A server that is away is one clear line, without its URL."""
    away = CliRunner().invoke(main, ["erase", ANA], env={"REDIS_URL": "redis://:hunter2@127.0.0.1:1/0"})
    assert (away.exit_code, away.stderr.count("\n")) == (1, 1)
    assert "hunter2" not in away.stderr


@pytest.mark.parametrize(("words", "typed", "erased"), [((), "n\n", False), ((), "y\n", True), (("--yes",), "", True)])
def test_erase_asks_a_person(connection: Connection, words: tuple[str, ...], typed: str, erased: bool) -> None:
    """Somebody at a terminal is asked first, with the number masked; --yes asks nobody."""
    answer(connection, "m1")
    connection.execute(text("update messages set published_at = now()"))
    terminal, program_side = os.openpty()
    os.write(terminal, typed.encode())
    done = run_in(os.environ, REPOSITORY, "erase", ANA, *words, stdin=program_side)
    os.close(program_side)
    os.close(terminal)
    assert (done.returncode == 0) == erased, done.stderr
    assert (masked(ANA) in done.stdout) == (not words)
    assert ANA not in done.stdout
    assert row(connection, "select count(*) from messages where customer_phone = 'erased'") == {"count": int(erased)}

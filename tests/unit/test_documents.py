"""The documents say what is so: examples, settings, commands, links and names are held against the code."""

from __future__ import annotations

import ast
import json
import re
import shlex
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from celery.bin.celery import celery
from helpers.basics import REPOSITORY
from msgspec import convert, to_builtins
from msgspec.structs import fields

from worker.app import app
from worker.messages.inbound import parse_payload
from worker.messages.reply import Reply
from worker.operate.cli import main
from worker.orders.order import Order
from worker.runtime.supervisor import service_programs
from worker.settings import FILE, SECRETS, Settings

DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
NAMES = [str(path.relative_to(REPOSITORY)) for path in DOCUMENTS]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:ExecStart=|docker compose run .* migrate )?(?:\S*/)?chasqui ([a-z-].*)")
OTHER_COMMAND = re.compile(r"(?:^|[ /])(?:celery -A|python -m|make) ")
VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b")
#: Looks like a setting and is psql's, one of the example for gateways, or a name of the reader's choice.
OF_OTHERS = frozenset(
    {
        *("ON_ERROR_STOP", "REMEMBER_S", "OWN_MODEL_KEY"),
        *("WHATSAPP_TOKEN", "WHATSAPP_APP_SECRET", "WHATSAPP_VERIFY_TOKEN"),
    }
)
LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
NOW_S = 1_800_000_000


def read(name: str) -> str:
    """A document by its path in the repository."""
    return (REPOSITORY / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """The fenced blocks of a document in one language."""
    return [code for found, code in FENCE.findall(read(name)) if found == language]


def table(name: str, first: str) -> Iterator[list[str]]:
    """The rows, cell by cell, of the table whose first heading is `first`; a bar inside a cell is not supported."""
    lines = iter(read(name).splitlines())
    for line in lines:
        if line.startswith(f"| {first} |"):
            next(lines)
            break
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def code_lines(name: str) -> list[str]:
    """Everything in a document that is shown as code: lines of shell and systemd blocks, and spans in the text."""
    shell = [line for block in blocks(name, "sh") + blocks(name, "ini") for line in block.splitlines()]
    return shell + re.findall(r"`([^`\n]+)`", FENCE.sub("", read(name)))


JSON_EXAMPLES = [pytest.param(code, id=f"{name}-{n}") for name in NAMES for n, code in enumerate(blocks(name, "json"))]
SHELL_PAYLOADS = [payload for name in NAMES for payload in re.findall(r"payload '(\{.*?\})'", read(name))]
PYTHON_EXAMPLES = [pytest.param(code, id=f"{n}-{i}") for n in NAMES for i, code in enumerate(blocks(n, "python"))]


def outbound_fields() -> set[str]:
    """The fields of a reply as it is published."""
    return {field.encode_name for field in fields(Reply)}


def test_the_examples_are_found() -> None:
    """The tests below look at something."""
    assert len(JSON_EXAMPLES) >= 4
    assert len(SHELL_PAYLOADS) >= 2
    assert len(PYTHON_EXAMPLES) >= 2


@pytest.mark.parametrize("example", JSON_EXAMPLES)
def test_json_examples_are_payloads(example: str) -> None:
    """An example is a reply or an order with exactly the fields of the contract, or an inbound payload that is
    accepted.
    """
    value = json.loads(example)
    if "event_id" in value:
        assert set(value) == {"event_id", "event", "at", "order"}
        order = convert(value["order"], Order)
        assert to_builtins(order, builtin_types=()) == value["order"] | {"items": tuple(value["order"]["items"])}
        return
    if "reply_id" in value:
        assert set(value) == outbound_fields()
        return
    parsed = parse_payload(example, NOW_S)
    assert parsed.messages
    assert parsed.rejections == ()


@pytest.mark.parametrize("payload", SHELL_PAYLOADS)
def test_payloads_in_shell_examples_are_accepted(payload: str) -> None:
    """What a reader pastes into redis-cli is answered, not rejected."""
    parsed = parse_payload(payload, NOW_S)
    assert len(parsed.messages) == 1
    assert parsed.rejections == ()


@pytest.mark.parametrize("code", PYTHON_EXAMPLES)
def test_python_examples_compile(code: str) -> None:
    """Python examples are Python."""
    assert ast.parse(code).body


def test_every_reply_field_is_described() -> None:
    """The table of outbound fields is the contract's, no more and no less."""
    section = read("docs/gateway.md").partition("## Outbound")[2].partition("\n### ")[0]
    described = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted(described) == sorted(outbound_fields())


def test_the_settings_table_is_complete() -> None:
    """Every environment variable of the settings stands in README's table, and nothing else does."""
    named = [cells[0].strip("`") for cells in table("README.md", "variable")]
    assert sorted(named) == sorted(name.upper() for name in Settings.model_fields)


def test_the_settings_table_gives_the_defaults() -> None:
    """A default that is a number or a word is the one in the code; where there is none, a reader is told."""
    for variable, default, _meaning in table("README.md", "variable"):
        in_code = Settings.model_fields[variable.strip("`").lower()].default
        if in_code is None:
            assert default, variable
        else:
            assert default == (f"{in_code:g}" if isinstance(in_code, float) else str(in_code)), variable


def slug(heading: str) -> str:
    """The anchor of a heading, as git hosts make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("name", NAMES)
def test_relative_links_lead_somewhere(name: str) -> None:
    """The file of a relative link exists, and so does the heading it names."""
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", read(name))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (REPOSITORY / name).parent / path if path else REPOSITORY / name
        assert file.exists(), target
        headings = re.findall(r"^#+ (.+)$", FENCE.sub("", file.read_text("utf-8")), re.MULTILINE) if anchor else []
        assert not anchor or anchor in map(slug, headings), target


def spoken_command(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command of the group that `words` (after `chasqui`) call, and what is left of them."""
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"chasqui has no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


def commands_in(name: str) -> Iterator[list[str]]:
    """The words after `chasqui` wherever a document shows it as a command."""
    for line in code_lines(name):
        if found := COMMAND.match(line.partition("    #")[0]):
            yield shlex.split(found[1])


def test_commands_are_found() -> None:
    """The test below looks at something."""
    assert ["db", "upgrade"] in list(commands_in("README.md"))
    assert ["up", "--concurrency", "2"] in list(commands_in("docs/deploy.md"))


@pytest.mark.parametrize("name", NAMES)
def test_commands_and_their_options_exist(name: str) -> None:
    """Every `chasqui ...` in a document can be typed."""
    for words in commands_in(name):
        command, rest = spoken_command(words)
        known = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h", "--version"}
        assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known, words


def test_the_processes_are_started_as_up_starts_them() -> None:
    """The command lines in the table of processes are those of the supervisor."""
    shown = {cells[0]: shlex.split(cells[1].strip("`")) for cells in table("docs/deploy.md", "process")}
    for program in service_programs(Path("/var/lib/chasqui"), 1):
        own = list(program.argv)
        assert own.pop(0) == sys.executable
        assert own.pop(0) == "-m"
        assert shown[program.name] == ["chasqui" if own[0] == "worker" else own[0], *own[1:]]


def other_commands_in(name: str) -> Iterator[list[str]]:
    """The words of every `celery -A ...`, `python -m ...` and `make ...` that a document shows."""
    for line in code_lines(name):
        words = shlex.split(line, comments=True) if OTHER_COMMAND.search(line) else []
        yield from (words[at:] for at, word in enumerate(words) if Path(word).name in ("celery", "python", "make"))


def test_other_commands_are_found() -> None:
    """The test below looks at something."""
    assert ["celery", "-A", "worker.app", "inspect", "active"] in list(other_commands_in("docs/operations.md"))
    assert ["python", "-m", "worker.flower", "--address=127.0.0.1"] in list(other_commands_in("docs/operations.md"))
    assert ["make", "demo"] in list(other_commands_in("README.md"))


@pytest.mark.parametrize("name", NAMES)
def test_other_commands_exist(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery has the command, and the task it names; Python has the module, and make the target."""
    monkeypatch.syspath_prepend(REPOSITORY / "tests")
    app.loader.import_default_modules()
    targets = re.findall(r"^([\w-]+):", read("Makefile"), re.MULTILINE)
    for program, *words in other_commands_in(name):
        if program == "celery":
            assert words[:2] == ["-A", "worker.app"]
            assert words[2] in {*celery.commands, "worker", "beat"}, words
            assert words[2] != "call" or words[3] in app.tasks, words
        elif program == "make":
            assert words[0] in targets, words
        else:
            assert words[0] == "-m"
            assert find_spec(words[1]), words


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_named_is_a_setting(name: str) -> None:
    """Whatever looks like a setting of ours is one, or it is told of somebody else's program."""
    known = {field.upper() for field in Settings.model_fields} | {f"{field.upper()}{FILE}" for field in SECRETS}
    assert set(VARIABLE.findall(read(name))) - known <= OF_OTHERS


def logged(path: Path) -> Iterator[str]:
    """The events that a module of ours logs, at any level; each must be given as it is, for people search for it."""
    for call in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(call, ast.Call):
            continue
        by, _, level = ast.unparse(call.func).rpartition(".")
        if (level in LEVELS and by in ("log", "logger(__name__)")) or level == "warned":
            event = call.args[1 if level == "warned" else 0]
            assert isinstance(event, ast.Constant), f"{path.name}:{call.lineno}"
            yield str(event.value)


def test_the_table_of_log_events_is_complete() -> None:
    """Every event that the code logs stands in it, and nothing else does."""
    sources = [path for package in ("worker", "db") for path in (REPOSITORY / package).rglob("*.py")]
    events = {event for path in sources for event in logged(path)}
    told = [event for cells in table("docs/operations.md", "event") for event in re.findall(r"`(\w+)`", cells[0])]
    assert {"turn_ended", "calls_postponed", "uncaught"} <= events
    assert sorted(told) == sorted(events)


@pytest.mark.parametrize("source", ["log.warning(f'{kind}_failed')", "log.info(event)", "warned(log, event)"])
def test_an_event_must_be_a_plain_word(source: str, tmp_path: Path) -> None:
    """One that is put together when it is logged could not be compared with the table."""
    (tmp_path / "module.py").write_text(source)
    with pytest.raises(AssertionError):
        list(logged(tmp_path / "module.py"))

"""Who may import whom (docs/architecture.md), read from the source; a rule that only stands on paper is soon broken."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from helpers.basics import REPOSITORY

PACKAGES = ("worker", "db")
CELERY = frozenset({"celery", "kombu", "billiard", "flower"})
OUTSIDE_WORLD = CELERY | {"redis", "sqlalchemy", "psycopg2", "alembic", "requests", "urllib3", "socket", "http"}
#: The floors, from the ground up: a package imports only from those above it in this list.
FLOORS = (
    "db",
    "worker.units",
    "worker.usage",
    "worker.errors",
    "worker.settings",
    "worker.log",
    "worker.language",
    "worker.messages",
    "worker.shop",
    "worker.redisdb",
    "worker.catalog",
    "worker.orders",
    "worker.session",
    "worker.replies",
    "worker.telemetry",
    "worker.providers",
    "worker.steps",
    "worker.precache",
    "worker.intake",
    "worker.celery_ext",
    "worker.runtime",
    "worker.app",
    "worker.chain",
    "worker.tasks",
    "worker.periodic",
    "worker.devkit",
    "worker.operate",
    "worker.flower",
    "worker.__main__",
)
#: Rooms of pure thought; a package stands for all of its modules.
PURE = (
    "worker.language",
    "worker.messages",
    "worker.shop",
    "worker.session",
    "worker.replies",
    "worker.catalog.product",
    "worker.catalog.product_names",
    "worker.providers.models",
    "worker.providers.pricing",
    "worker.units",
    "worker.usage",
    "worker.errors",
)
#: Who may know that the chain is made of Celery; a package stands for all of its modules.
SEE_CELERY = ("worker.chain", "worker.tasks", "worker.periodic", "worker.app", "worker.celery_ext")
READ_THE_ENVIRONMENT = frozenset({"worker.settings", "worker.runtime.environment"})


@cache
def files() -> Mapping[str, Path]:
    """The file of every module of the project, by dotted name."""
    return {_name(file): file for package in PACKAGES for file in (REPOSITORY / package).rglob("*.py")}


@cache
def source(module: str) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(files()[module].read_text(encoding="utf-8"), str(files()[module]))


def _name(file: Path) -> str:
    parts = file.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST) -> Iterator[str]:
    """Dotted names of all that a module imports, in functions too; of `from a import b` both `a` and `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def direct(module: str) -> frozenset[str]:
    """What a module imports itself: modules of ours by their whole name, others by their first part."""
    found = frozenset(imports(source(module)))
    ours = frozenset(name for name in found if name in files())
    return ours | {name.split(".")[0] for name in found if name.split(".")[0] not in PACKAGES}


def reached(module: str) -> Mapping[str, tuple[str, ...]]:
    """All that loading a module brings in, with the way there."""
    ways: dict[str, tuple[str, ...]] = {module: (module,)}
    waiting = [module]
    while waiting:
        here = waiting.pop()
        for name in direct(here) | _packages_of(here) if here in files() else ():
            if name not in ways:
                ways[name] = (*ways[here], name)
                waiting.append(name)
    return ways


def _packages_of(module: str) -> frozenset[str]:
    """The packages a module stands in, whose `__init__` is loaded before it."""
    parts = module.split(".")
    return frozenset(".".join(parts[:length]) for length in range(1, len(parts)))


def modules_of(rooms: Iterable[str]) -> list[str]:
    """The modules in these rooms."""
    wanted = tuple(rooms)
    return sorted(name for name in files() if any(name == room or name.startswith(f"{room}.") for room in wanted))


def test_the_rules_speak_of_modules_that_exist() -> None:
    """A renamed module must not slip out of its rule."""
    for name in (
        *PURE,
        *SEE_CELERY,
        *READ_THE_ENVIRONMENT,
        "worker.steps.update_session",
        "worker.intake.intake",
        "db.queries",
    ):
        assert name in files(), name


def test_imports_are_read_wherever_they_stand() -> None:
    """At the top, in a function, of a module and of a name in it."""
    tree = ast.parse("import os.path\nfrom db import retry\ndef f():\n    from celery.app import Celery\n")
    assert {"os.path", "db", "db.retry", "celery.app", "celery.app.Celery"} == set(imports(tree))
    assert {"worker.steps.turn_commit", "sqlalchemy"} <= direct("worker.intake.intake")
    assert reached("worker.tasks")["urllib3"][-2:] == ("worker.providers.transport", "urllib3")


def claims_to_be_pure() -> list[str]:
    """Modules that call themselves pure thought, whether or not they stand in the list."""
    said = "Pure: no I/O"
    maybe = (name for name, file in files().items() if said in file.read_text("utf-8"))
    return [name for name in maybe if said in (ast.get_docstring(source(name)) or "")]


@pytest.mark.parametrize("module", sorted({*modules_of(PURE), *claims_to_be_pure()}))
def test_pure_thought_reaches_nothing_outside(module: str) -> None:
    """Neither itself nor by what it imports."""
    ways = reached(module)
    assert {name: ways[name] for name in OUTSIDE_WORLD & ways.keys()} == {}


@pytest.mark.parametrize(
    "module",
    [
        "worker.steps.update_session",
        "worker.intake.intake",
        "worker.intake.sweep",
        "worker.steps.services",
        "worker.operate.erasure",
    ],
)
def test_the_steps_see_no_celery(module: str) -> None:
    """Nor does anything they are made of: they can be run and tested without a broker."""
    ways = reached(module)
    assert {name: ways[name] for name in CELERY & ways.keys()} == {}


@pytest.mark.parametrize("module", sorted(files()))
def test_celery_is_known_to_few(module: str) -> None:
    """The tasks, the app, and what is changed in Celery."""
    assert module in modules_of(SEE_CELERY) or not CELERY & direct(module)


def floor_of(module: str) -> int:
    """The place in FLOORS of the package (of `db`, of a room of `worker`) that a module stands in."""
    return FLOORS.index(".".join(module.split(".")[: 1 if module.split(".")[0] == "db" else 2]))


def upward(sources_of: Mapping[str, Iterable[str]]) -> list[str]:
    """Imports from a floor above. sources_of: what each module imports."""
    return [
        f"{module} -> {name}"
        for module, names in sources_of.items()
        for name in names
        if name != "worker" and floor_of(name) > floor_of(module)
    ]


def ours(module: str) -> list[str]:
    """The modules of ours that a module imports."""
    return [name for name in direct(module) if name in files() and name not in ("worker", "db")]


def test_packages_stand_in_floors() -> None:
    """No package imports from one above it, and so no two import each other."""
    assert upward({module: ours(module) for module in files() if module != "worker"}) == []


def test_a_circle_is_found() -> None:
    """A figure of the exporter's, read by a step, would be one."""
    assert upward({"worker.steps.update_session": ["worker.operate.display", "worker.session.turn"]}) == [
        "worker.steps.update_session -> worker.operate.display"
    ]


def inner_circles(imported: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """Packages side by side in one room, each of which imports the other. A package and one inside it are one."""
    pairs = {
        (own, other)
        for module, names in imported.items()
        for name in names
        if (own := module.rpartition(".")[0]) != (other := name.rpartition(".")[0])
        and own.rpartition(".")[0] == other.rpartition(".")[0] != "worker"
    }
    return sorted(pair for pair in pairs if pair[::-1] in pairs and pair[0] < pair[1])


def test_no_two_packages_of_a_room_import_each_other() -> None:
    """As `operate.commands` and `operate.dashboard`."""
    assert inner_circles({module: ours(module) for module in files() if module != "worker"}) == []
    drawn = {
        "worker.operate.doctor.x": ["worker.operate.commands.y"],
        "worker.operate.commands.y": ["worker.operate.doctor.x"],
    }
    assert inner_circles(drawn) == [("worker.operate.commands", "worker.operate.doctor")]


@pytest.mark.parametrize("module", modules_of(["db"]))
def test_the_database_does_not_know_the_worker(module: str) -> None:
    """Neither directly nor by what it imports."""
    assert [name for name in reached(module) if name.split(".")[0] == "worker"] == []


@pytest.mark.parametrize("module", sorted(files()))
def test_the_environment_is_read_in_one_place(module: str) -> None:
    """And set in one other, which starts servers for what it leaves unset."""
    assert module in READ_THE_ENVIRONMENT or reads_of_the_environment(source(module)) == []


def reads_of_the_environment(tree: ast.AST) -> list[int]:
    """Lines that name the process's environment."""
    names = {"environ", "environb", "getenv", "getenvb", "putenv"}
    attributes = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in names
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    ]
    imported = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "os" and names & {alias.name for alias in node.names}
    ]
    return attributes + imported


@pytest.mark.parametrize(
    "code", ["import os\nx = os.environ['A']", "import os\nos.getenv('A')", "from os import environ"]
)
def test_a_read_of_the_environment_is_found(code: str) -> None:
    """Whichever way it is written."""
    assert reads_of_the_environment(ast.parse(code))


def test_the_command_line_begins_light() -> None:
    """Loading it loads neither Celery nor the providers: a command fetches what it needs when it is called."""
    heavy = {*CELERY, "requests", "worker.steps.services", "worker.steps.update_session"}
    code = f"import sys, worker.operate.cli; print(*sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_nothing_connects_at_import() -> None:
    """No module of ours calls a constructor of a client at its top level."""
    clients = {"connect_redis", "make_engine", "create_engine", "Redis", "services", "connect", "build"}
    calls = [
        (module, call.lineno)
        for module in files()
        for statement in source(module).body
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef)
        for call in ast.walk(statement)
        if isinstance(call, ast.Call) and getattr(call.func, "attr", getattr(call.func, "id", None)) in clients
    ]
    assert calls == []


def drawn() -> dict[str, set[str]]:
    """The arrows of the drawing in docs/architecture.md: rooms, by the room that imports them."""
    drawing = (
        (REPOSITORY / "docs" / "architecture.md").read_text("utf-8").partition("```mermaid")[2].partition("```")[0]
    )
    arrows: dict[str, set[str]] = {}
    for line in drawing.splitlines():
        if " --> " in line:
            room, _, others = line.strip().partition(" --> ")
            arrows.setdefault(room, set()).update(other.partition("[")[0] for other in others.split(" & "))
    return arrows


def test_the_drawing_shows_the_imports() -> None:
    """Each arrow is an import, and each import between rooms is an arrow or follows from some."""
    arrows = drawn()
    rooms = {
        (room_of(module), room_of(name))
        for module in files()
        if module not in ("worker", "db")
        for name in ours(module)
    }
    imported = {(one, other) for one, other in rooms if one in arrows and one != other}
    below = {room: _below(room, arrows) for room in arrows}
    assert {pair for pair in imported if pair[1] not in below[pair[0]] | {"ground"}} == set()
    assert {(room, other) for room, others in arrows.items() for other in others if (room, other) not in rooms} <= {
        (room, "ground") for room in arrows
    }


def room_of(module: str) -> str:
    """The room of a module, as it is drawn."""
    room = module.split(".")[0 if module.startswith("db") else 1]
    return "ground" if room in ("log", "settings", "errors", "usage", "units") else room


def _below(room: str, arrows: Mapping[str, set[str]]) -> set[str]:
    direct_ones = arrows.get(room, set())
    return direct_ones.union(*(_below(other, arrows) for other in direct_ones))

"""`chasqui shop` as it is typed, and what else says whether a shop's file is right: the doctor, and `chasqui up`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.basics import REPOSITORY, Servers
from helpers.command_line import PARTS, START_S, run, started, urls_of
from helpers.shops import MEXICAN, written

from worker.operate.doctor.examination import examine_shop, known_shop
from worker.operate.doctor.finding import State
from worker.settings import read_settings

WRONG = 'name = "a"\nform = "che"\n[hours]\nmonday = ["25:00-26:00"]\n'
SAMPLE = REPOSITORY / "worker" / "devkit" / "sample_shop.toml"


def test_show_prints_what_the_assistant_knows(tmp_path: Path) -> None:
    """Facts a reader understands, and how customers are addressed."""
    done = run(tmp_path, "shop", "show", SHOP_FILE=str(written(tmp_path, MEXICAN)))
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("Abarrotes Lupita", "lunes a viernes: 09:00-14:00", "fee $35.50", "Madero 5", "¿Me cuentas"):
        assert words in done.stdout


def test_show_is_what_the_bare_command_does(tmp_path: Path) -> None:
    """Without a file the name alone is known."""
    bare, shown = (run(tmp_path, *words, SHOP_NAME="Doña Rosa") for words in (("shop",), ("shop", "show")))
    assert bare.stdout == shown.stdout
    assert "Doña Rosa" in bare.stdout


def test_show_as_json(tmp_path: Path) -> None:
    """To the letter what stands in a request."""
    done = run(tmp_path, "shop", "show", "--json", SHOP_FILE=str(written(tmp_path, MEXICAN)))
    told = json.loads(done.stdout)
    assert told["shop"]["delivery"]["areas"][0]["fee"] == "$35.50"
    assert "today" in told["now"]


def test_show_names_the_mistakes_of_the_file(tmp_path: Path) -> None:
    """And exits 1, without a traceback."""
    file = written(tmp_path, WRONG)
    done = run(tmp_path, "shop", "show", SHOP_FILE=str(file))
    assert (done.returncode, done.stdout) == (1, "")
    assert f'{file}: hours.monday[0]: "25:00" is no time of day' in done.stderr
    assert "Traceback" not in done.stderr


def test_check_of_a_right_file(tmp_path: Path) -> None:
    """Says so, and exits 0."""
    done = run(tmp_path, "shop", "check", str(SAMPLE))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{SAMPLE} is right.\n", "")
    assert json.loads(run(tmp_path, "shop", "check", str(SAMPLE), "--json").stdout) == {"fit": True, "mistakes": []}


def test_check_names_every_mistake(tmp_path: Path) -> None:
    """A line each on standard error, with the file and the place."""
    file = written(tmp_path, WRONG)
    done = run(tmp_path, "shop", "check", file.name)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "shop.toml: form: Input should be 'vos', 'tu' or 'usted'",
        'shop.toml: hours.monday[0]: "25:00" is no time of day',
    ]
    told = run(tmp_path, "shop", "check", file.name, "--json")
    assert told.returncode == 1
    assert [mistake.partition(":")[0] for mistake in json.loads(told.stdout)["mistakes"]] == ["form", "hours.monday[0]"]


def test_check_of_no_file(tmp_path: Path) -> None:
    """Is a mistake like others; no FILE at all is wrong usage."""
    assert (
        run(tmp_path, "shop", "check", "none.toml").stderr == "none.toml: cannot be read: No such file or directory\n"
    )
    assert run(tmp_path, "shop", "check").returncode == 2


@pytest.mark.parametrize("words", [("shop", "--help"), ("shop", "check", "--help")])
def test_help_teaches(tmp_path: Path, words: tuple[str, ...]) -> None:
    """With an example to copy."""
    assert "shop.toml" in run(tmp_path, *words).stdout


def test_the_service_does_not_start_with_a_wrong_file(tmp_path: Path) -> None:
    """It would answer without what the shop believes it knows."""
    done = run(tmp_path, "up", SHOP_FILE=str(written(tmp_path, WRONG)))
    assert done.returncode == 1
    assert "hours.monday[0]" in done.stderr


def test_a_worker_does_not_start_with_a_wrong_file(tmp_path: Path, servers: Servers) -> None:
    """It says where the mistake is, and ends, as it does for servers that are not fit."""
    given = urls_of(servers) | {"SHOP_FILE": str(written(tmp_path, WRONG))}
    with started(PARTS["worker"], tmp_path, given) as worker:
        assert worker.process.wait(START_S) == 1
        assert 'hours.monday[0]: "25:00" is no time of day' in worker.log.read_text()


def test_the_doctor_examines_the_file(tmp_path: Path) -> None:
    """A line for each mistake; a summary where there is none; nothing where no file is set."""
    wrong = read_settings({"SHOP_FILE": str(written(tmp_path, WRONG))})
    assert [(each.state, each.found.partition(":")[0]) for each in examine_shop(wrong)] == [
        (State.FAILED, "form"),
        (State.FAILED, "hours.monday[0]"),
    ]
    assert known_shop(wrong).name == "el supermercado", "models are asked all the same"
    (right,) = examine_shop(read_settings({"SHOP_FILE": str(SAMPLE)}))
    assert right.state is State.OK
    assert "2 delivery areas" in right.found
    assert examine_shop(read_settings({})) == []

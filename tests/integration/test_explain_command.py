"""`chasqui explain` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

from helpers.command_line import run

from worker.devkit.demo import CATALOG


def test_a_message_is_explained(tmp_path: Path) -> None:
    """Its phrases, and the form that everybody may share."""
    done = run(tmp_path, "explain", "--catalog", str(CATALOG), "hola, la leche a cuánto la tenés?")
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("a cuanto la tenes [price]", "tenes leche y a que precio", "search_product"):
        assert words in done.stdout


def test_other_names_are_searched_for(tmp_path: Path) -> None:
    """Where the shop calls a thing otherwise."""
    done = run(tmp_path, "explain", "--catalog", str(CATALOG), "--json", "tenés aguacate y birra?")
    assert json.loads(done.stdout)["searches"][:2] == ["aguacate", "birra"]
    assert {"palta", "cerveza"} & set(json.loads(done.stdout)["searches"])


def test_a_message_that_leans_is_explained_as_json(tmp_path: Path) -> None:
    """With the reason and its word."""
    done = run(tmp_path, "explain", "--catalog", str(CATALOG), "--json", "y la otra?")
    told = json.loads(done.stdout)
    assert (told["shared"], told["form"], told["reason"]) == (False, None, "leans:y")

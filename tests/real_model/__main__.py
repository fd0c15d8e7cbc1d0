"""`make real-model`: the whole service with a real language model on this machine, and what must hold with any.

The model is small and poor, which is the use of it. Exits 0 if every invariant held, 1 with the reasons if not. Writes
build/real-model/transcript.json.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click
import orjson
import structlog
from rich.console import Console
from rich.table import Table

from real_model.install import install
from real_model.invariants import Verdict
from real_model.recipe import read_recipe
from real_model.recording import Call, recording
from real_model.server import model_server, seconds_of_a_call
from real_model.trial import Found, Pace, Trial
from worker.errors import ChasquiError
from worker.operate.commands.terminal import interrupting
from worker.runtime.environment import HOME

BUILD: Final = Path("build") / "real-model"
TRANSCRIPT: Final = BUILD / "transcript.json"
#: Reasons shown of one invariant; the file has them all.
SHOWN: Final = 8
#: With fewer replies of the model's own there is little to judge.
FEW_REPLIES: Final = 10
console = Console(highlight=False, soft_wrap=True)


@click.command()
@click.option("--install-only", is_flag=True, help="Build the server and fetch the weights, and no more.")
@click.option("--minutes", type=float, default=5.0, show_default=True, help="How long anybody says something new.")
def main(install_only: bool, minutes: float) -> None:
    """Talk to a real model and check what must hold with any."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        with interrupting():
            verdicts = run(install_only, minutes * 60)
    except ChasquiError as exc:
        raise click.ClickException(str(exc)) from exc
    sys.exit(0 if all(verdict.held for verdict in verdicts) else 1)


def run(install_only: bool, talk_s: float) -> Sequence[Verdict]:
    """The verdicts; none where the model is only installed. talk_s: how long the conversation may go on."""
    recipe, began = read_recipe(), time.monotonic()
    with console.status("Installing the model's server"):
        installed = install(recipe, BUILD.resolve(), lambda line: console.print(line, markup=False))
    console.print(f"Installed after {time.monotonic() - began:.0f} s.")
    if install_only:
        return ()
    key, began = f"sk-{secrets.token_hex(16)}", time.monotonic()
    with (
        _directory() as directory,
        model_server(recipe.server, installed, BUILD / "server.log", key) as url,
        recording(url.removesuffix("/v1")) as recorder,
    ):
        call_s = seconds_of_a_call(url, key)
        console.print(f"The model's server is ready and takes {call_s:.1f} s for a call; the service starts.")
        trial = Trial(directory, recorder, key, Pace.of(call_s), talk_s, lambda line: console.print(line, markup=False))
        verdicts = trial.run()
        _write(verdicts, trial.found, recorder.calls)
    show(verdicts, time.monotonic() - began)
    replies = sum(exchange.source == "ai" for exchange in trial.found.exchanges)
    if replies < FEW_REPLIES:
        console.print(f"Only {replies} replies were the model's own: 3 to 6 were hardly put to the test.")
    return verdicts


def show(verdicts: Sequence[Verdict], took_s: float) -> None:
    """The table, and what speaks against an invariant."""
    table = Table("", "invariant", "held", "figures", title="With a real model")
    for verdict in verdicts:
        held = "yes" if verdict.held else f"no ({len(verdict.broken)})"
        table.add_row(str(verdict.number), verdict.name, held, verdict.figures)
    console.print(table, soft_wrap=False)
    for verdict in verdicts:
        for reason in verdict.broken[:SHOWN]:
            console.print(f"{verdict.number}: {reason}", markup=False)
    broken = sum(not verdict.held for verdict in verdicts)
    result = "every invariant held" if not broken else f"{broken} invariants did not hold"
    console.print(f"{result}, after {took_s / 60:.1f} minutes. Written to {TRANSCRIPT}.")


def _write(verdicts: Sequence[Verdict], found: Found, calls: Sequence[Call]) -> None:
    told = {
        "verdicts": [asdict(verdict) for verdict in verdicts],
        "exchanges": [asdict(exchange) for exchange in found.exchanges],
        "cached": found.cached,
        "calls": [asdict(call) for call in calls],
    }
    TRANSCRIPT.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))


@contextmanager
def _directory() -> Iterator[Path]:
    """Where the servers live; removed afterwards, but for what the service has logged."""
    HOME.mkdir(mode=0o700, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="real-", dir=HOME))
    try:
        yield directory.resolve()
    finally:
        if (directory / "service.log").exists():
            shutil.move(directory / "service.log", BUILD / "service.log")
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()

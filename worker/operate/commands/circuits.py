"""`chasqui circuits`: states of the circuit breakers, and opening or closing one by hand."""

from collections.abc import Sequence
from functools import partial

import click
import redis
from rich.console import Group
from rich.table import Table
from rich.text import Text

from db.engine import make_engine
from worker.errors import CommandError
from worker.operate.commands.terminal import json_option, print_result, redis_errors
from worker.providers.circuit import CircuitBreaker
from worker.providers.circuit_states import Circuit, Named, named, read_circuits
from worker.providers.providers_file import load_providers
from worker.redisdb.connect import connect_durable
from worker.runtime.environment import surroundings
from worker.settings import Settings

COLOURS = {"closed": "green", "half_open": "yellow"}


@click.command()
@click.argument("action", type=click.Choice(["list", "open", "close"]), default="list")
@click.argument("provider", required=False, metavar="[PROVIDER[/MODEL]]")
@json_option
def circuits(action: str, provider: str | None, as_json: bool) -> None:
    """Show circuit breakers, or open or close one by hand.

    \b
    list                      state, failures and calls of the last 30 s, how long it stays open, how often it opened
    open PROVIDER[/MODEL]     it is not asked any more, until its circuit is closed by hand
    close PROVIDER[/MODEL]    back to normal, whoever opened it: it is asked again, and nothing is held against it

    A provider's circuit opens when its calls fail, a model's when the model is gone or refuses how it is asked.
    """
    if action != "list" and provider is None:
        raise click.UsageError(f"{action} needs the name of a PROVIDER")
    with surroundings(postgres=action != "list") as configured, redis_errors(), connect_durable(configured) as client:
        known = named(load_providers(configured))
        name, model = chosen(known, provider) if provider else ("", "")
        if action != "list":
            breaker(client, configured).force(name, action, model)
        found = [
            circuit
            for circuit in read_circuits(client, known)
            if name in ("", circuit.provider) and model in ("", circuit.model)
        ]
    print_result([circuit.to_dict() for circuit in found], as_table(found), as_json=as_json)


def chosen(known: Named, name: str) -> tuple[str, str]:
    """Returns the provider and the model (empty: none) of a name. Raises CommandError with the names there are."""
    provider, _, model = name.partition("/")
    models = dict(known).get(provider)
    if models is None:
        raise CommandError(f"there is no provider {provider}; known are {', '.join(dict(known))}")
    if model and model not in models:
        raise CommandError(f"{provider} has no model {model}; known are {', '.join(models)}")
    return provider, model


def breaker(client: redis.Redis, configured: Settings) -> CircuitBreaker:
    """Returns the breaker of the fleet, which notes what an operator does to it for report and dashboard."""
    from worker.steps.services import note_circuit

    engine = make_engine(configured.required("database_url"), pool_size=1)
    return CircuitBreaker(client, partial(note_circuit, engine))


def as_table(found: Sequence[Circuit]) -> Group:
    """Returns a row for each circuit, and below what providers have said of their models."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("circuit", overflow="fold")
    for name in ("state", "why"):
        table.add_column(name, no_wrap=True)
    for name in ("failed", "calls", "shut until", "trips"):
        table.add_column(name, justify="right", no_wrap=True)
    for circuit in found:
        until = f"{circuit.opens_until:%H:%M:%S}Z" if circuit.opens_until else ""
        table.add_row(
            f"  {circuit.model}" if circuit.model else circuit.provider,
            Text(circuit.state, COLOURS.get(circuit.state, "red")),
            circuit.reason,
            "" if circuit.model else f"{circuit.failures:,}",
            "" if circuit.model else f"{circuit.calls:,}",
            "by hand" if circuit.state == "forced_open" else until,
            f"{circuit.trips:,}",
        )
    return Group(table, *(Text(f"{circuit.name}: {said}") for circuit in found if (said := remark(circuit))))


def remark(circuit: Circuit) -> str:
    """Returns the provider's sentence about a model, or which other one answers for it."""
    return circuit.told or (f"answered by {circuit.answered_by}" if circuit.answered_by else "")

"""`chasqui cache`: hit rates and sizes of the cache layers, and emptying one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
import redis
from rich import box
from rich.table import Table

from worker.operate.commands import terminal
from worker.operate.display import size
from worker.providers.single_flight import forget_results
from worker.redisdb.cache import LayerSize, flush, key_batches, read_size
from worker.redisdb.connect import connect_durable
from worker.redisdb.keys import AI_RESPONSE, LAYERS, Key
from worker.runtime.environment import surroundings

if TYPE_CHECKING:
    from worker.operate.snapshot import CacheLayer

BY_NAME = {layer.name: layer for layer in LAYERS}


@click.command()
@click.argument("action", type=click.Choice(["stats", "flush"]), default="stats")
@click.argument("layer", type=click.Choice(list(BY_NAME)), required=False)
@terminal.json_option
@click.option("--yes", is_flag=True, help="Flush without asking.")
def cache(action: str, layer: str | None, as_json: bool, yes: bool) -> None:
    """Show the cache layers, or empty one.

    \b
    stats [LAYER]     hits and misses since midnight (UTC), keys, and bytes as a sample of the keys has it
    flush LAYER       deletes all keys of the layer and nothing else; safe at any time, it fills again by itself
    """
    from worker.operate.snapshot import read_cache_use

    if action == "flush" and layer is None:
        raise click.UsageError(f"flush needs a LAYER: {', '.join(BY_NAME)}")
    layers = [layer] if layer else list(BY_NAME)
    with (
        surroundings(postgres=False) as configured,
        terminal.redis_errors("CACHE_REDIS_URL" if configured.cache_redis_url else "REDIS_URL"),
        terminal.cache_redis(configured) as client,
    ):
        if action == "flush":
            with connect_durable(configured) as durable:
                flush_layer(client, durable, BY_NAME[layers[0]], yes=yes, as_json=as_json)
        else:
            used = {each.name: each for each in read_cache_use(client).layers}
            stats = [(used[name], read_size(client, BY_NAME[name])) for name in layers]
            terminal.print_result([to_dict(*layer) for layer in stats], as_table(stats), as_json=as_json)


def to_dict(use: CacheLayer, held: LayerSize) -> dict[str, Any]:
    """Returns a layer for JSON."""
    return {"layer": use.name, "hits": use.hits, "misses": use.misses, **asdict(held), "hit_rate": use.hit_rate}


def as_table(layers: Sequence[tuple[CacheLayer, LayerSize]]) -> Table:
    """Returns a row for each layer."""
    table = Table("layer", box=box.SIMPLE)
    for name in ("hit rate today (UTC)", "hits", "misses", "keys", "about"):
        table.add_column(name, justify="right")
    for use, held in layers:
        rate = "" if use.hit_rate is None else f"{use.hit_rate:.1f} %"
        table.add_row(use.name, rate, f"{use.hits:,}", f"{use.misses:,}", f"{held.keys:,}", size(held.bytes))
    return table


def flush_layer(client: redis.Redis, durable: redis.Redis, layer: Key, *, yes: bool, as_json: bool) -> None:
    """Asks, deletes, and prints how many keys are gone; results of single flights (`durable`) go with the replies."""
    keys = sum(map(len, key_batches(client, layer)))
    if not yes:
        click.confirm(f"Delete the {keys:,} keys of {layer.name}?", abort=True, err=True)
    with terminal.counting(keys, "Deleting", transient=True) as on_deleted:
        deleted = flush(client, layer, on_deleted)
        if layer is AI_RESPONSE:
            forget_results(durable)
    if as_json:
        terminal.print_json({"layer": layer.name, "deleted": deleted})
    else:
        click.echo(f"{deleted:,} key{'' if deleted == 1 else 's'} of {layer.name} deleted.")

"""`chasqui cache`: how good the cache layers are, how large, and emptying one."""

from __future__ import annotations

from collections.abc import Sequence

import click
import redis
from redis.exceptions import RedisError
from rich import box
from rich.progress import Progress
from rich.table import Table

from worker.errors import CommandError
from worker.operate.commands.terminal import out, print_json
from worker.operate.wording import size
from worker.redisdb.keys import AI_RESPONSE, LAYERS, Key
from worker.redisdb.layers import LayerStats, flush, forget_results, key_batches, read_stats

BY_NAME = {layer.name: layer for layer in LAYERS}


@click.command()
@click.argument("action", type=click.Choice(["stats", "flush"]), default="stats")
@click.argument("layer", type=click.Choice(list(BY_NAME)), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--yes", is_flag=True, help="Flush without asking.")
def cache(action: str, layer: str | None, as_json: bool, yes: bool) -> None:
    """Show the cache layers, or empty one.

    \b
    stats [LAYER]     hits and misses since midnight (UTC), keys, and bytes as a sample of the keys has it
    flush LAYER       deletes all keys of the layer and nothing else; safe at any time, it fills again by itself
    """
    from worker.redisdb.connect import DURABLE_TIMEOUT_S, connect_redis
    from worker.runtime.environment import surroundings

    if action == "flush" and layer is None:
        raise click.UsageError(f"flush needs a LAYER: {', '.join(BY_NAME)}")
    layers = [BY_NAME[layer]] if layer else LAYERS
    with (
        surroundings(postgres=False) as configured,
        connect_redis(configured.required("cache_url"), DURABLE_TIMEOUT_S) as client,
    ):
        try:
            if action == "flush":
                with connect_redis(configured.required("redis_url"), DURABLE_TIMEOUT_S) as durable:
                    flush_layer(client, durable, layers[0], yes=yes, as_json=as_json)
            else:
                show([read_stats(client, each) for each in layers], as_json=as_json)
        except RedisError as exc:
            variable = "CACHE_REDIS_URL" if configured.cache_redis_url else "REDIS_URL"
            raise CommandError(f"Redis: {type(exc).__name__}: is {variable} right, and the server up?") from exc


def show(stats: Sequence[LayerStats], *, as_json: bool) -> None:
    """The layers as a table, or as JSON."""
    if as_json:
        return print_json([layer.to_dict() for layer in stats])
    table = Table(box=box.SIMPLE)
    table.add_column("layer")
    for name in ("hit rate today (UTC)", "hits", "misses", "keys", "about"):
        table.add_column(name, justify="right")
    for layer in stats:
        rate = "" if layer.hit_rate is None else f"{layer.hit_rate:.1f} %"
        table.add_row(layer.layer, rate, f"{layer.hits:,}", f"{layer.misses:,}", f"{layer.keys:,}", size(layer.bytes))
    return out.print(table)


def flush_layer(client: redis.Redis, durable: redis.Redis, layer: Key, *, yes: bool, as_json: bool) -> None:
    """Asks, deletes, tells how many keys are gone. The progress bar shows on a terminal only. durable: holds what was
    answered a moment ago for those who asked at the same time; it goes with the replies.
    """
    keys = sum(len(batch) for batch in key_batches(client, layer))
    if not yes:
        click.confirm(f"Delete the {keys:,} keys of {layer.name}?", abort=True, err=True)
    with Progress(console=out, disable=not out.is_terminal, transient=True) as progress:
        task = progress.add_task("Deleting", total=keys)
        deleted = flush(client, layer, lambda count: progress.advance(task, count))
        if layer is AI_RESPONSE:
            forget_results(durable)
    if as_json:
        print_json({"layer": layer.name, "deleted": deleted})
    else:
        click.echo(f"{deleted:,} key{'' if deleted == 1 else 's'} of {layer.name} deleted.")

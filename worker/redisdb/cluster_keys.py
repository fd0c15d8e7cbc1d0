"""Keys on a Redis Cluster: where they stand in a command, and the names that bring those of one script into one slot.

Names of streams and of the cache layers are the same everywhere. The others get a hash tag here and nowhere else: a
script finds all that it touches in one slot, and whoever asks for a key asks by its usual name.
"""

from collections.abc import Sequence
from typing import Any

from redis.crc import key_slot

from worker.redisdb.keys import ORDERS, OUTBOUND, REPLY_LIMIT

#: Commands that touch several keys, each as if it stood alone: they are split.
OF_MANY = frozenset({"MGET", "DEL", "UNLINK", "EXISTS"})
#: Commands without a key that concern every node; the others of them are asked of one.
OF_ALL = frozenset({"PING", "SCRIPT LOAD", "FLUSHALL", "FLUSHDB"})
#: Commands without a key, by their first word.
KEYLESS = frozenset(
    {"PING", "TIME", "ECHO", "INFO", "SCRIPT", "SCAN", "WAIT", "DBSIZE", "FLUSHALL", "FLUSHDB"}
    | {"CONFIG", "CLUSTER", "CLIENT", "COMMAND", "SLOWLOG"}
)
_SCRIPTS = frozenset({"EVAL", "EVALSHA"})
_READS = frozenset({"XREAD", "XREADGROUP"})
#: What follows a prefix stands in the slot of a stream, or all money in one.
_TAGS = {
    "published:order:": ORDERS.pattern,
    "published:": OUTBOUND.pattern,
    "refused:": "whatsapp:rejected",
    "budget:": "money",
    "limit:": "money",
}
#: What follows is the tag itself, up to the next colon, or all of it.
_OWN = {"ai_circuit:": ":", "flight:": "", "parked:": ""}
_UNTAGGED = REPLY_LIMIT.key("")


def on_cluster(name: str) -> str:
    """Returns the name that a key has on a cluster."""
    if name.startswith(_UNTAGGED) or "{" in name:
        return name
    for prefix, tag in _TAGS.items():
        if name.startswith(prefix):
            return f"{prefix}{{{tag}}}:{name.removeprefix(prefix)}"
    for prefix, end in _OWN.items():
        if name.startswith(prefix):
            own, found, rest = name.removeprefix(prefix).partition(end) if end else (name.removeprefix(prefix), "", "")
            return f"{prefix}{{{own}}}{found}{rest}"
    return name


def off_cluster(name: bytes) -> bytes:
    """Returns the usual name of a key that a cluster has named."""
    begin, opened, rest = name.partition(b"{")
    tag, closed, end = rest.partition(b"}")
    if not (opened and closed):
        return name
    return begin + (tag + end if begin.decode() in _OWN else end.removeprefix(b":"))


def key_positions(args: Sequence[Any]) -> range:
    """Returns which arguments of a command are keys."""
    command = str(args[0]).upper()
    if command in _SCRIPTS:
        return range(3, 3 + int(args[2]))
    if command in _READS:
        streams = next(n for n, arg in enumerate(args) if arg in (b"STREAMS", "STREAMS")) + 1
        return range(streams, streams + (len(args) - streams) // 2)
    if command.split(" ")[0] in KEYLESS:
        return range(0)
    return range(1, len(args) if command in OF_MANY else min(len(args), 2))


def renamed(args: Sequence[Any]) -> list[Any]:
    """Returns a command with the names that its keys have on a cluster."""
    found = list(args)
    for position in key_positions(args):
        key = found[position]
        found[position] = on_cluster(key.decode() if isinstance(key, bytes) else str(key))
    return found


def slots_of(args: Sequence[Any]) -> set[int]:
    """Returns the slots of a command's keys; none where it has no key."""
    return {key_slot(str(args[position]).encode()) for position in key_positions(args)}

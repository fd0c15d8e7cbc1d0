"""Redis keys: pattern, type and time to live of each; where they stand in a command, and their names on a cluster.

On a Redis Cluster names of streams and of the cache layers are the same. The others get a hash tag here and nowhere
else: a script finds all that it touches in one slot, and whoever asks for a key asks by its usual name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.crc import key_slot

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Key:
    """Family of keys: its pattern with one place to fill, its Redis type and its time to live in seconds."""

    name: str
    pattern: str
    type: str
    ttl_s: int | None

    def key(self, part: str) -> str:
        """Returns the key of one member of the family."""
        return self.pattern.format(part)


def beside(key: Key, stream: Key) -> str:
    """Returns the name of a single key that has, on a cluster, one of its kind in the slot of each stream."""
    return f"{key.pattern}:{{{stream.pattern}}}"


# The four cache layers, on CACHE_REDIS_URL.
SESSION = Key("session", "session:{}", "string", 7_200)
AI_RESPONSE = Key("ai_response", "ai_response:{}", "string", DAY_S)
CATEGORIES = Key("categories", "categories:{}", "string", 1_800)
PRODUCT_SEARCH = Key("product_search", "product_search:{}", "string", 900)
#: Replies to a customer in the hour since the first of them; beside the sessions, in whose round trips it is counted.
REPLY_LIMIT = Key("reply_limit", "limit:replies:{}", "string", 3_600)
LAYERS = (SESSION, AI_RESPONSE, CATEGORIES, PRODUCT_SEARCH)
#: Hits and misses by layer and UTC day; beside the layers, so that counting costs no round trip.
CACHE_COUNTS = Key("cache_counts", "metrics:cache:{}", "hash", 8 * DAY_S)
#: Among them, how many customers had all replies of an hour.
LIMITED = "replies:limited"
#: And how many messages were not everybody's, by reason.
UNSHARED = "unshared:{}"

# On the durable Redis (REDIS_URL).
CIRCUIT = Key("circuit", "ai_circuit:{}", "hash", 7 * DAY_S)
#: Of one model: "{provider}:{model}".
MODEL_CIRCUIT = Key("model_circuit", "ai_circuit:{}", "hash", 7 * DAY_S)
#: The breaker's time window, in buckets; twice the window, set where it is written.
CIRCUIT_SAMPLES = Key("circuit_samples", "ai_circuit:{}:samples", "hash", None)
#: By month and by day: 40 and 3 days, set where they are written.
BUDGET = Key("budget", "budget:{}", "hash", None)
BUDGET_RESERVED = Key("budget_reserved", "budget:reserved", "sorted set", 3_600)
CALL_LIMIT = Key("call_limit", "limit:{}", "string", 3_600)
#: Deadline + 60 s, set where they are written.
FLIGHT = Key("flight", "flight:{}", "string", None)
PARKED = Key("parked", "parked:{}", "list", None)
PUBLISHED = Key("published", "published:{}", "string", 7 * DAY_S)
#: An event of an order, which is told in a stream of its own and may have a reply of the same id.
ORDER_PUBLISHED = Key("order_published", "published:order:{}", "string", 7 * DAY_S)
#: Calls of providers by UTC day: outcomes, and how long answers took (`worker.telemetry.recording`).
CALL_COUNTS = Key("call_counts", "metrics:calls:{}", "hash", 8 * DAY_S)
#: Latest probes of models, JSON by "{provider}/{model}" (`worker.providers.probe`).
MODEL_PROBES = Key("model_probes", "metrics:model_probes", "hash", 7 * DAY_S)
#: A model that some process probes, or lately did.
PROBE_LOCK = Key("probe_lock", "metrics:probing:{}", "string", None)
#: A state of catalogue and shop for which replies of our own words were made ahead; they live for a day.
OWN_REPLIES = Key("own_replies", "metrics:own_replies:{}", "string", DAY_S // 2)
#: When a periodic task last did its work, in seconds since 1970.
LAST_RUN = Key("last_run", "metrics:last_run:{}", "string", 30 * DAY_S)
#: Who is the active one of several, such as beat; its length is set where it is taken.
LEASE = Key("lease", "lease:{}", "string", None)
#: Number of customers who wait because another transaction holds rows of theirs, as the active intake last saw.
LOCKED_CUSTOMERS = Key("locked_customers", "metrics:locked_customers", "string", 60)
#: Run of Redis for which the sweep last cared; another one has restarted and may have lost its last second.
RUN_ID = Key("run_id", "metrics:redis_run_id", "string", 30 * DAY_S)
#: When the sweep last saw that run go on, in seconds since 1970.
SEEN_AT = Key("seen_at", "metrics:redis_seen_at", "string", 30 * DAY_S)
INBOUND = Key("inbound", "whatsapp:inbound", "stream", None)
OUTBOUND = Key("outbound", "whatsapp:outbound", "stream", None)
REJECTED = Key("rejected", "whatsapp:rejected", "stream", None)
ORDERS = Key("orders", "whatsapp:orders", "stream", None)
#: A refusal of an entry that is in `whatsapp:rejected`; on a cluster alone, where no transaction spans two streams.
REFUSED = Key("refused", "refused:{}", "string", DAY_S)
#: Streams are trimmed, not expired: replies and orders by age only, refused payloads by number and age.
STREAMS_KEEP_S = {OUTBOUND.pattern: 7 * DAY_S, REJECTED.pattern: 30 * DAY_S, ORDERS.pattern: 30 * DAY_S}
REJECTED_KEEP_ENTRIES = 100_000

# On a Redis Cluster.
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
#: What follows, up to the next colon if there is one, is the tag itself.
_OWN = ("ai_circuit:", "flight:", "parked:")
_UNTAGGED = REPLY_LIMIT.key("")


def on_cluster(name: str) -> str:
    """Returns the name that a key has on a cluster."""
    if name.startswith(_UNTAGGED) or "{" in name:
        return name
    for prefix, tag in _TAGS.items():
        if name.startswith(prefix):
            return f"{prefix}{{{tag}}}:{name.removeprefix(prefix)}"
    for prefix in _OWN:
        if name.startswith(prefix):
            own, colon, rest = name.removeprefix(prefix).partition(":")
            return f"{prefix}{{{own}}}{colon}{rest}"
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

"""The demo: embedded servers, simulated providers and the whole service; plays a conversation and checks its end."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
from rich.console import Console, RenderableType
from rich.text import Text

from db import migrations
from db.engine import connect
from worker.catalog.price_list import import_products, read_products
from worker.devkit.behaviour import Behaviour
from worker.devkit.conversation import Delivery, demo_conversation
from worker.devkit.gateway import Gateway, Seen
from worker.devkit.simulator import Simulator, SimulatorOptions
from worker.redisdb.connect import DURABLE_TIMEOUT_S, connect_redis
from worker.redisdb.keys import OUTBOUND
from worker.runtime.environment import HOME, environment, surroundings
from worker.runtime.supervisor import running, service_programs
from worker.settings import settings
from worker.telemetry.report import make_report

CATALOG = Path(__file__).with_name("catalog.csv")
#: What the simulated providers take to answer, milliseconds: about what the real ones take for a short reply.
LATENCY_MS = (150, 400)
REPLY_TIMEOUT_S = 45.0
#: Nothing may come after the last reply; this long is looked.
QUIET_S = 1.0
#: The demo runs beside whatever the environment names, on servers and providers of its own.
ISOLATED = ("DATABASE_URL", "REDIS_URL", "CACHE_REDIS_URL", "BROKER_URL", "PROVIDERS_FILE")
KEYS = ("OPENAI_API_KEY", "GEMINI_API_KEY", "DEEPSEEK_API_KEY")


@dataclass(slots=True)
class Played:
    """What came back: replies by message id, refusals, and what is wrong."""

    replies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    rejections: int = 0
    sent_at: dict[str, float] = field(default_factory=dict)

    def note(self, seen: Seen) -> dict[str, Any] | None:
        """Takes an entry in; the reply, if it is one."""
        if seen.stream != OUTBOUND.pattern:
            self.rejections += 1
            return None
        for message_id in seen.reply["in_reply_to"]:
            self.replies.setdefault(message_id, []).append(seen.reply)
        return seen.reply


@contextmanager
def demo_service(console: Console) -> Iterator[Path]:
    """The whole service on servers of its own, in a directory that is removed afterwards."""
    HOME.mkdir(mode=0o700, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="demo-", dir=HOME))
    options = SimulatorOptions(everyone=Behaviour(latency_ms=LATENCY_MS))
    try:
        with Simulator(options) as simulator, environment(dict.fromkeys(ISOLATED)):
            keys = dict.fromkeys(KEYS, "demo")
            with (
                environment({**keys, **simulator.base_urls, "LOG_FORMAT": "json"}),
                console.status("Starting PostgreSQL and Redis ..."),
                surroundings(directory) as configured,
            ):
                migrations.upgrade(configured.required("database_url"))
                import_products(configured.required("database_url"), read_products(CATALOG), lambda _rows: None)
                with (directory / "service.log").open("wb") as log, running(service_programs(directory, 1), log):
                    yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def play(console: Console, as_tables: Callable[[dict[str, Any]], RenderableType]) -> bool:
    """Plays the conversation, prints replies as they come and the report; whether every message ended as it should.

    Args:
        as_tables: how the report is shown.
    """
    started = time.monotonic()
    with demo_service(console) as directory:
        client = connect_redis(settings().required("redis_url"), DURABLE_TIMEOUT_S)
        gateway = Gateway(client)
        conversation = demo_conversation(uuid4().hex[:8], int(time.time()))
        played = Played()
        console.print(f"Servers ready after {time.monotonic() - started:.1f} s; the service starts.\n")
        converse(console, gateway, conversation, played)
        mistakes = [*mistakes_in(conversation, played)]
        with connect(settings().required("database_url")) as connection:
            console.print(as_tables(make_report(connection)))
        client.close()
        if mistakes:
            console.print(*mistakes, sep="\n", style="red")
            console.print((directory / "service.log").read_text(errors="replace")[-4_000:], markup=False)
    verdict = "every message ended as it should" if not mistakes else f"{len(mistakes)} mistakes"
    console.print(f"\n{len(conversation)} deliveries in {time.monotonic() - started:.1f} s: {verdict}.")
    return not mistakes


def converse(console: Console, gateway: Gateway, conversation: Sequence[Delivery], played: Played) -> None:
    """Sends the deliveries, each customer's next one after the reply to the one before, and prints what comes back."""
    for delivery in conversation:
        console.print(Text.assemble((f"{delivery.customer:>8} ", "bold cyan"), f"» {delivery.shows}"))
        sent = time.monotonic()
        for message_id in delivery.wait_for:
            played.sent_at[message_id] = sent
        gateway.send(delivery.payload)
        wait_for(console, gateway, played, set(delivery.wait_for))
    for seen in gateway.follow(QUIET_S):
        show(console, played, seen)


def wait_for(console: Console, gateway: Gateway, played: Played, missing: set[str]) -> None:
    """Follows the streams until every message id has a reply, or the time is over."""
    missing -= played.replies.keys()
    if not missing:
        return
    for seen in gateway.follow(REPLY_TIMEOUT_S):
        show(console, played, seen)
        missing -= played.replies.keys()
        if not missing:
            return


def show(console: Console, played: Played, seen: Seen) -> None:
    """Prints a reply with its source and the time since its message was sent, or that something was refused."""
    reply = played.note(seen)
    if reply is None:
        console.print(Text.assemble(("rejected ", "bold yellow"), f"« {seen.fields['reason']}"))
        return
    sent = [played.sent_at[i] for i in reply["in_reply_to"] if i in played.sent_at]
    took_ms = (time.monotonic() - min(sent)) * 1000 if sent else 0.0
    source = reply["source"] + (f" {reply['provider']}" if reply["source"] == "ai" else "")
    console.print(Text.assemble((f"{source:>18} {took_ms:6.0f} ms ", "green"), f"« {reply['text']}"))
    titles = [button["title"] for button in reply["quick_replies"]]
    if titles:
        console.print(Text(" " * 31 + "  ".join(f"[{title}]" for title in titles), style="dim"))


def mistakes_in(conversation: Sequence[Delivery], played: Played) -> Iterator[str]:
    """What did not end as the conversation says, a line each."""
    refused = sum(delivery.expected == "rejected" for delivery in conversation)
    if played.rejections != refused:
        yield f"{played.rejections} payloads were rejected, {refused} should have been"
    for delivery in conversation:
        wanted = 1 if delivery.expected in ("answered", "duplicate") else 0
        for message_id in message_ids(delivery.payload):
            found = len(played.replies.get(message_id, ()))
            if found != wanted:
                yield f"{message_id} ({delivery.shows}): {found} replies, {wanted} expected"


def message_ids(payload: str) -> list[str]:
    """Ids of the messages in a webhook body; none where it cannot be read."""
    try:
        body = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return []
    changes = [change for entry in body["entry"] for change in entry["changes"]]
    return [message["id"] for change in changes for message in change["value"].get("messages", ())]

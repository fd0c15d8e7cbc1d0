"""Demo: embedded servers, simulated providers and the whole service; plays a conversation and checks its end."""

import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from string import Template
from typing import Any, Literal
from uuid import uuid4

import msgspec
from rich.console import Console, RenderableType
from rich.text import Text

from db import migrations
from db.engine import connect
from worker.catalog.price_list import import_products, read_products
from worker.devkit.gateway import Gateway, StreamEntry
from worker.devkit.simulator import Simulator
from worker.redisdb.connect import connect_durable
from worker.redisdb.keys import OUTBOUND
from worker.runtime.environment import HOME, environment, surroundings
from worker.runtime.supervisor import running, service_programs
from worker.settings import settings
from worker.telemetry.report import make_report

CATALOG = Path(__file__).with_name("catalog.csv")
SHOP = Path(__file__).with_name("sample_shop.toml")
#: What the simulated providers take to answer, milliseconds: about what the real ones take for a short reply.
LATENCY_MS = (150, 400)
REPLY_TIMEOUT_S = 45.0
#: Nothing may come after the last reply; this long is looked.
QUIET_S = 1.0
#: The demo's customers write each thought in one message, so nobody is waited for.
SETTINGS = {"SHOP_FILE": str(SHOP), "LOG_FORMAT": "json", "REPLY_QUIET_S": "0"}
#: The demo runs beside whatever the environment names, on servers and providers of its own.
ISOLATED = ("DATABASE_URL", "REDIS_URL", "CACHE_REDIS_URL", "BROKER_URL", "PROVIDERS_FILE", "SHOP_FILE")
KEYS = ("OPENAI_API_KEY", "GEMINI_API_KEY", "DEEPSEEK_API_KEY")
Json = dict[str, Any]
Expected = Literal["answered", "closed", "duplicate", "rejected", "nothing"]
_CONVERSATION = Path(__file__).with_name("conversation.toml").read_text(encoding="utf-8")


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Delivery as `conversation.toml` has it."""

    customer: str = "WhatsApp"
    texts: list[str] = []
    message: Json = {}
    statuses: list[Json] = []
    payload: str = ""
    repeats: str = ""
    shows: str = ""
    expected: Expected = "answered"


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Content of the file."""

    shop_phone: str
    customers: dict[str, str]
    lines: list[Line]


CUSTOMERS = msgspec.toml.decode(_CONVERSATION, type=Script).customers


@dataclass(frozen=True, slots=True)
class Delivery:
    """Payload for the inbound stream. expected: what becomes of its messages; "nothing" for a body without any."""

    payload: str
    message_ids: tuple[str, ...]
    expected: Expected
    customer: str
    shows: str

    @property
    def wait_for(self) -> tuple[str, ...]:
        """Message ids whose replies are awaited before the next delivery."""
        return self.message_ids if self.expected == "answered" else ()


def demo_conversation(run_id: str, now_s: int) -> tuple[Delivery, ...]:
    """Makes the deliveries in order; `run_id` makes message ids new (`wamid.{run_id}.NN`), `now_s` is Unix time."""
    script = msgspec.toml.decode(Template(_CONVERSATION).substitute(run=run_id, now_s=now_s), type=Script)
    deliveries: list[Delivery] = []
    numbers = count(1)
    for line in script.lines:
        messages = [{"type": "text", "text": {"body": text}} for text in line.texts]
        messages += [line.message] if line.message else []
        head = {"from": CUSTOMERS.get(line.customer), "timestamp": str(now_s)}
        sent: list[Json] = [head | {"id": f"wamid.{run_id}.{next(numbers):02}"} | message for message in messages]
        repeated = [old for old in deliveries if (old.customer, old.shows) == (line.customer, line.repeats)]
        payload = repeated[0].payload if repeated else line.payload or _body(script.shop_phone, line, sent)
        ids = repeated[0].message_ids if repeated else tuple(message["id"] for message in sent)
        shows = line.shows or " / ".join(line.texts)
        deliveries.append(Delivery(payload, ids, line.expected, line.customer, shows))
    return tuple(deliveries)


def _body(shop_phone: str, line: Line, messages: list[Json]) -> str:
    metadata = {"display_phone_number": shop_phone, "phone_number_id": "100000000000001"}
    contact = {"profile": {"name": line.customer}, "wa_id": CUSTOMERS.get(line.customer)}
    sent = {"statuses": line.statuses} if line.statuses else {"contacts": [contact], "messages": messages}
    value = {"messaging_product": "whatsapp", "metadata": metadata, **sent}
    entry = {"id": "200000000000001", "changes": [{"value": value, "field": "messages"}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}, ensure_ascii=False)


@dataclass(slots=True)
class Transcript:
    """Record of what was sent and what came back; prints replies as they come."""

    console: Console
    sent_at: dict[str, float] = field(default_factory=dict)
    replies: Counter[str] = field(default_factory=Counter)
    rejections: int = 0

    def follow(self, gateway: Gateway, timeout_s: float, awaited: Collection[str] = ()) -> None:
        """Follows the streams until every awaited message id has a reply, or the time is over."""
        arrivals = gateway.follow(timeout_s)
        while not awaited or not self.replies.keys() >= set(awaited):
            if (entry := next(arrivals, None)) is None:
                return
            self._record(entry)

    def _record(self, entry: StreamEntry) -> None:
        if entry.stream != OUTBOUND.pattern:
            self.rejections += 1
            self.console.print(Text.assemble(("rejected ", "bold yellow"), f"« {entry.fields['reason']}"))
            return
        reply = entry.reply
        self.replies.update(reply["in_reply_to"])
        sent = [self.sent_at[i] for i in reply["in_reply_to"] if i in self.sent_at]
        took_ms = (time.monotonic() - min(sent)) * 1000 if sent else 0.0
        source = reply["source"] + (f" {reply['provider']}" if reply["source"] == "ai" else "")
        self.console.print(Text.assemble((f"{source:>18} {took_ms:6.0f} ms ", "green"), f"« {reply['text']}"))
        titles = [f"[{button['title']}]" for button in reply["quick_replies"]]
        titles += [f"({row['title']})" for row in (reply["list"] or {"rows": ()})["rows"]]
        if titles:
            self.console.print(Text(" " * 31 + "  ".join(titles), style="dim"))


@contextmanager
def demo_service(console: Console) -> Iterator[Path]:
    """Runs the whole service on servers of its own, in a directory that is removed afterwards."""
    HOME.mkdir(mode=0o700, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="demo-", dir=HOME))
    try:
        with Simulator() as simulator:
            simulator.set("all", latency_ms=LATENCY_MS)
            given = {**dict.fromkeys(ISOLATED), **dict.fromkeys(KEYS, "demo"), **simulator.base_urls, **SETTINGS}
            with (
                environment(given),
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
    """Plays the conversation, prints replies and the report; returns whether every message ended as it should."""
    started = time.monotonic()
    with demo_service(console) as directory:
        with connect_durable(settings()) as client:
            console.print(f"Servers ready after {time.monotonic() - started:.1f} s; the service starts.\n")
            conversation = demo_conversation(uuid4().hex[:8], int(time.time()))
            mistakes = list(mistakes_in(conversation, converse(console, Gateway(client), conversation)))
        with connect(settings().required("database_url")) as connection:
            console.print(as_tables(make_report(connection)))
        if mistakes:
            console.print(*mistakes, sep="\n", style="red")
            console.print((directory / "service.log").read_text(errors="replace")[-4_000:], markup=False)
    verdict = "every message ended as it should" if not mistakes else f"{len(mistakes)} mistakes"
    console.print(f"\n{len(conversation)} deliveries in {time.monotonic() - started:.1f} s: {verdict}.")
    return not mistakes


def converse(console: Console, gateway: Gateway, conversation: Sequence[Delivery]) -> Transcript:
    """Sends the deliveries, each after the replies to the one before, and prints what comes back."""
    transcript = Transcript(console)
    for delivery in conversation:
        console.print(Text.assemble((f"{delivery.customer:>8} ", "bold cyan"), f"» {delivery.shows}"))
        transcript.sent_at.update(dict.fromkeys(delivery.wait_for, time.monotonic()))
        gateway.send(delivery.payload)
        if delivery.wait_for:
            transcript.follow(gateway, REPLY_TIMEOUT_S, delivery.wait_for)
    transcript.follow(gateway, QUIET_S)
    return transcript


def mistakes_in(conversation: Sequence[Delivery], transcript: Transcript) -> Iterator[str]:
    """Yields a line for each message that did not end as the conversation says."""
    refused = sum(delivery.expected == "rejected" for delivery in conversation)
    if transcript.rejections != refused:
        yield f"{transcript.rejections} payloads were rejected, {refused} should have been"
    for delivery in conversation:
        wanted = 1 if delivery.expected in ("answered", "duplicate") else 0
        for message_id in delivery.message_ids:
            if (found := transcript.replies[message_id]) != wanted:
                yield f"{message_id} ({delivery.shows}): {found} replies, {wanted} expected"

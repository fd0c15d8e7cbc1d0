#!/usr/bin/env python3
"""Gateway between WhatsApp's Cloud API and Chasqui, in one file to start from.

It answers Meta's webhook (the challenge, the signature) and passes each body on to whatsapp:inbound. It sends what
stands in whatsapp:outbound through the Graph API, as text, buttons or a list: each reply once, each customer's in their
order, and waits where Meta says so. Needs Python 3.11 and the packages redis and requests. In the environment:

  REDIS_URL              the Redis that Chasqui reads, in any of the forms that Chasqui takes (but for TLS options):
                         redis://..., sentinel://...;sentinel://..., redis+cluster://one,two
  REDIS_MASTER_NAME      where it names Sentinels: the group; REDIS_SENTINEL_PASSWORD: their own password
  WHATSAPP_TOKEN         permanent token of a system user with the permission whatsapp_business_messaging
  WHATSAPP_APP_SECRET    of the app; Meta signs the webhooks with it
  WHATSAPP_VERIFY_TOKEN  a word of your choice, the same as in the app's settings of the webhook
  WHATSAPP_PHONE_ID      id of the number to send from where a reply names none (optional)

The webhook is http://HOST:PORT/webhook; Meta wants HTTPS, so put a proxy in front of it. Run one of it at a time.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import itertools
import json
import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import heappop, heappush
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import redis
import requests
from redis.cluster import ClusterNode, RedisCluster
from redis.sentinel import Sentinel

INBOUND, OUTBOUND, GROUP, CONSUMER = "whatsapp:inbound", "whatsapp:outbound", "gateway", "gateway-1"
#: A day longer than Chasqui keeps a reply in the stream.
REMEMBER_S = 8 * 86_400
#: The largest body that Meta sends.
MAX_BODY_BYTES = 3 * 1024 * 1024
#: Replies read and not sent yet; the others wait in Redis.
MAX_IN_HAND = 1_000
TIMEOUT_S = (5, 20)
BLOCK_MS = 500
#: For replicas to have a body.
CONFIRM_MS = 1_000
SENT, NO_ANSWER = 0, -1
#: Meta's codes (developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes, read in November 2026).
OUTSIDE_THE_WINDOW = 131047
PAIR_LIMIT = 131056
#: The next reply would fare no better: limits of the number, a token or an account that somebody must mend, no answer.
FOR_ALL = frozenset({NO_ANSWER, 3, 4, 10, 190, 368, 80007, 130429, 131016, 131031, 131042, 131048, 131057, 133004})
#: Only this one failed, for no reason that it gave.
BY_CHANCE = frozenset({1, 2, 131000})
LONGEST_WAIT_S = 64.0

log = logging.getLogger("gateway")


# Redis


def connect(environ: Mapping[str, str]) -> redis.Redis:
    """Returns a client: of one Redis, of the master that Sentinels name, or of a cluster."""
    url = environ["REDIS_URL"]
    options: dict[str, Any] = {"decode_responses": True, "protocol": 2, "socket_timeout": 30}
    if "sentinel" not in url.partition(":")[0] and "cluster" not in url.partition(":")[0]:
        return redis.Redis.from_url(url, **options)
    hosts, login = places(url)
    options |= login | {"socket_connect_timeout": 2}
    if "cluster" in url.partition(":")[0]:
        nodes = [ClusterNode(host, port or 6379) for host, port in hosts]
        return RedisCluster(startup_nodes=nodes, require_full_coverage=False, **options)
    own = {"password": environ.get("REDIS_SENTINEL_PASSWORD"), "socket_timeout": 1, "socket_connect_timeout": 1}
    own |= {name: value for name, value in login.items() if name == "ssl"}
    sentinels = Sentinel([(host, port or 26379) for host, port in hosts], sentinel_kwargs=own)
    return sentinels.master_for(environ["REDIS_MASTER_NAME"], **options)


def places(url: str) -> tuple[list[tuple[str, int]], dict[str, Any]]:
    """Returns the hosts in a URL of several, each with its port or 0, and the login that stands in it."""
    found: list[tuple[str, int]] = []
    login: dict[str, Any] = {"ssl": True} if url.startswith("rediss") else {}
    for part in url.split(";"):
        user, _, hosts = urlsplit(part).netloc.rpartition("@")
        name, _, password = user.partition(":")
        given = {"username": unquote(name), "password": unquote(password)}
        login |= {field: value for field, value in given.items() if value}
        found += [(host, int(port or 0)) for host, _, port in (place.partition(":") for place in hosts.split(","))]
    return found, login


def add(client: redis.Redis, body: bytes, replicas: int) -> bool:
    """Adds a body to the inbound stream; returns whether so many replicas have it. Raises RedisError."""
    master = client
    if isinstance(client, RedisCluster):
        master = client.get_redis_connection(client.get_node_from_key(INBOUND))
    # WAIT speaks of what was written on its own connection.
    with master.pipeline(transaction=False) as pipeline:
        pipeline.xadd(INBOUND, {"payload": body})
        pipeline.wait(replicas, CONFIRM_MS)
        return int(pipeline.execute()[1]) >= replicas


def look_around(client: redis.Redis) -> None:
    """Lets the client find out anew who the master is: one that refuses writes does not end connections by itself."""
    try:
        if isinstance(client, RedisCluster):
            client.nodes_manager.initialize()
        else:
            client.connection_pool.disconnect(inuse_connections=False)
    except redis.RedisError as exc:
        log.error("no node of the cluster answers: %s", type(exc).__name__)


# Meta -> Chasqui


def is_signed(body: bytes, signature: str | None, app_secret: str) -> bool:
    """Returns whether Meta has signed the body (header X-Hub-Signature-256)."""
    expected = "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), (signature or "").encode())


class Webhook(BaseHTTPRequestHandler):
    """Request of Meta's. A body is answered with 200 only once it stands in the stream: else Meta sends it again."""

    server: WebhookServer
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """Answers the challenge with which Meta asks whose webhook this is."""
        path, given = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        token, challenge = (given.get(f"hub.{name}", [""])[0] for name in ("verify_token", "challenge"))
        if path == "/healthz":
            self._answer(200, "ok")
        elif path == "/webhook" and hmac.compare_digest(token.encode(), self.server.verify_token.encode()):
            self._answer(200, challenge)
        else:
            self._answer(403 if path == "/webhook" else 404)

    def do_POST(self) -> None:
        """Passes a body on, exactly as it came."""
        length = self.headers.get("Content-Length", "")
        if urlsplit(self.path).path != "/webhook":
            self._answer(404, close=True)
        elif not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self._answer(413 if length.isdecimal() else 411, close=True)
        else:
            self._answer(self._passed_on(self.rfile.read(int(length))))

    def _passed_on(self, body: bytes) -> int:
        if not is_signed(body, self.headers.get("X-Hub-Signature-256"), self.server.app_secret):
            log.warning("a body without Meta's signature is refused")
            return 401
        try:
            taken, reason = add(self.server.client, body, self.server.replicas), "no replica has it"
        except redis.RedisError as exc:
            taken, reason = False, type(exc).__name__
        if not taken:
            log.error("Redis does not take a body (%s): Meta will send it again", reason)
            look_around(self.server.client)
        return 200 if taken else 503

    def _answer(self, status: int, text: str = "", *, close: bool = False) -> None:
        self.close_connection = self.close_connection or close
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is the library's
        """Logs nothing: a query holds the token."""


class WebhookServer(ThreadingHTTPServer):
    """Server of the webhook."""

    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], client: redis.Redis, replicas: int, app_secret: str, verify_token: str
    ) -> None:
        super().__init__(address, Webhook)
        self.client, self.replicas = client, replicas
        self.app_secret, self.verify_token = app_secret, verify_token


# Chasqui -> Meta


def message_of(reply: Mapping[str, Any]) -> dict[str, Any]:
    """The reply as the Graph API takes it. `biz_opaque_callback_data` comes back in the statuses that Chasqui reads."""
    to = reply["to"]
    # A customer without a phone number is named by Meta's business-scoped user id.
    message = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to" if to.isdecimal() else "recipient": to,
    }
    return message | _content(reply) | {"biz_opaque_callback_data": reply["reply_id"]}


def _content(reply: Mapping[str, Any]) -> dict[str, Any]:
    choices, buttons = reply.get("list"), reply.get("quick_replies")
    if choices:
        rows = [{name: value for name, value in row.items() if value} for row in choices["rows"]]
        return _interactive("list", reply, {"button": choices["button"], "sections": [{"rows": rows}]})
    if buttons:
        return _interactive("button", reply, {"buttons": [{"type": "reply", "reply": button} for button in buttons]})
    return {"type": "text", "text": {"body": reply["text"], "preview_url": False}}


def _interactive(kind: str, reply: Mapping[str, Any], action: dict[str, Any]) -> dict[str, Any]:
    return {"type": "interactive", "interactive": {"type": kind, "body": {"text": reply["text"]}, "action": action}}


class Graph:
    """The Graph API of one thread: connections are kept."""

    def __init__(self, url: str, token: str, phone_id: str | None) -> None:
        self._url, self._phone_id = url.rstrip("/"), phone_id
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def send(self, reply: Mapping[str, Any]) -> int:
        """Sends a reply from the number that was written to. Returns SENT, NO_ANSWER, or Meta's code."""
        url = f"{self._url}/{reply.get('channel') or self._phone_id}/messages"
        try:
            answer = self._session.post(url, json=message_of(reply), timeout=TIMEOUT_S, allow_redirects=False)
        except requests.RequestException as exc:
            # It may have been sent: Meta takes no id by which it would know the second as the first.
            log.warning("no answer of the Graph API: %s", type(exc).__name__)
            return NO_ANSWER
        return SENT if answer.ok else _code(answer)


def _code(answer: requests.Response) -> int:
    try:
        return int(answer.json()["error"]["code"])
    except (ValueError, TypeError, KeyError):
        return 4 if answer.status_code == 429 else NO_ANSWER


@dataclass(frozen=True, slots=True)
class Entry:
    """Entry of the outbound stream."""

    id: str
    reply: dict[str, Any]


class Schedule:
    """Replies in hand. Each customer has a queue, of which the first alone is sent, when it is due."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Entry]] = {}
        self._due: list[tuple[float, int, str]] = []
        self._order = itertools.count()
        self._tries: dict[str, int] = {}
        self._pause_until = 0.0
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._tries)

    def add(self, entry: Entry) -> None:
        """Adds an entry, unless it is in hand already."""
        with self._changed:
            if entry.id in self._tries:
                return
            self._tries[entry.id] = 0
            queue = self._queues.setdefault(entry.reply["to"], deque())
            queue.append(entry)
            if len(queue) == 1:
                self._put(entry, 0.0)

    def take(self) -> Entry | None:
        """Waits for an entry that is due, and returns it; None once closed."""
        with self._changed:
            while not self._closed:
                wait_s = None
                if self._due:
                    wait_s = max(self._due[0][0], self._pause_until) - time.monotonic()
                    if wait_s <= 0:
                        return self._queues[heappop(self._due)[2]][0]
                self._changed.wait(wait_s)
        return None

    def done(self, entry: Entry) -> None:
        """Goes on to the customer's next."""
        with self._changed:
            customer = entry.reply["to"]
            self._queues[customer].popleft()
            del self._tries[entry.id]
            if self._queues[customer]:
                self._put(self._queues[customer][0], 0.0)
            else:
                del self._queues[customer]

    def later(self, entry: Entry, base: int, *, everybody: bool = False) -> float:
        """Tries the entry again, each time after `base` times the wait before, from 1 s on; returns the wait."""
        with self._changed:
            wait_s = min(float(base ** self._tries[entry.id]), LONGEST_WAIT_S)
            self._tries[entry.id] += 1
            if everybody:
                self._pause_until = max(self._pause_until, time.monotonic() + wait_s)
            self._put(entry, wait_s)
            return wait_s

    def close(self) -> None:
        """Lets nobody take another one."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _put(self, entry: Entry, wait_s: float) -> None:
        heappush(self._due, (time.monotonic() + wait_s, next(self._order), entry.reply["to"]))
        self._changed.notify()


class Sender:
    """Sends what is due, in as many threads as `work` is called in."""

    def __init__(self, client: redis.Redis, schedule: Schedule) -> None:
        self._client, self._schedule = client, schedule
        #: Sent, while Redis did not take down that it was.
        self._not_noted: set[str] = set()

    def work(self, graph: Graph) -> None:
        """Sends until the schedule is closed."""
        while entry := self._schedule.take():
            try:
                self._deliver(entry, graph)
            except redis.RedisError as exc:
                log.error("Redis does not answer: %s", type(exc).__name__)
                self._schedule.later(entry, 1)

    def _deliver(self, entry: Entry, graph: Graph) -> None:
        reply_id = entry.reply["reply_id"]
        if reply_id not in self._not_noted:
            if self._client.exists(_mark(reply_id)):
                self._finish(entry)
                return
            code = graph.send(entry.reply) if _is_in_time(entry.reply) else OUTSIDE_THE_WINDOW
            if code != SENT:
                self._failed(entry, code)
                return
            self._not_noted.add(reply_id)
        self._client.set(_mark(reply_id), 1, ex=REMEMBER_S)
        self._not_noted.discard(reply_id)
        self._finish(entry)

    def _failed(self, entry: Entry, code: int) -> None:
        reply_id = entry.reply["reply_id"]
        if code == PAIR_LIMIT:
            # Meta advises 4^n seconds, and this customer's next replies wait behind it.
            log.warning("too fast for one customer: reply %s waits %d s", reply_id, self._schedule.later(entry, 4))
        elif code in FOR_ALL:
            wait_s = self._schedule.later(entry, 2, everybody=True)
            log.error("Meta does not take replies (code %d): all wait %d s", code, wait_s)
        elif code in BY_CHANCE:
            log.warning("reply %s failed (code %d), again in %d s", reply_id, code, self._schedule.later(entry, 2))
        else:
            log.error("reply %s is refused for good (code %d)", reply_id, code)
            self._client.xadd(INBOUND, {"payload": json.dumps(_failed_status(entry.reply, code))})
            self._finish(entry)

    def _finish(self, entry: Entry) -> None:
        self._client.xack(OUTBOUND, GROUP, entry.id)
        self._schedule.done(entry)


def _mark(reply_id: str) -> str:
    return f"gateway:sent:{reply_id}"


def _is_in_time(reply: Mapping[str, Any]) -> bool:
    return datetime.fromisoformat(reply["expires_at"]) > datetime.now(UTC)


def _failed_status(reply: Mapping[str, Any], code: int) -> dict[str, Any]:
    """What Meta would have reported, had it not refused at once: so Chasqui's report knows of it."""
    status = {"status": "failed", "recipient_id": reply["to"], "timestamp": str(int(time.time()))}
    told = status | {"biz_opaque_callback_data": reply["reply_id"], "errors": [{"code": code}]}
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", "statuses": [told]}}
    return {"object": "whatsapp_business_account", "entry": [{"id": "gateway", "changes": [change]}]}


def read(client: redis.Redis, schedule: Schedule, stop: threading.Event) -> None:
    """Reads replies until stopped: first what an earlier run or a broken connection left unfinished, then new ones."""
    while not stop.is_set():
        try:
            _create_group(client)
            position = "0"
            while not stop.is_set():
                position = _read_on(client, schedule, position, stop)
        except redis.RedisError as exc:
            log.error("Redis does not answer: %s", type(exc).__name__)
            look_around(client)
            stop.wait(1.0)


def _read_on(client: redis.Redis, schedule: Schedule, position: str, stop: threading.Event) -> str:
    """Reads what is next. Returns where to go on: behind the last unfinished entry, or ">" for new ones."""
    if len(schedule) >= MAX_IN_HAND:
        stop.wait(0.05)
        return position
    found: Any = client.xreadgroup(GROUP, CONSUMER, {OUTBOUND: position}, count=100, block=BLOCK_MS)
    entries = found[0][1] if found else []
    for entry_id, fields in entries:
        if entry := _entry(entry_id, fields):
            schedule.add(entry)
        else:
            client.xack(OUTBOUND, GROUP, entry_id)
    return str(entries[-1][0]) if entries and position != ">" else ">"


def _entry(entry_id: str, fields: Mapping[str, str] | None) -> Entry | None:
    """The entry; None where it was trimmed after 7 days, or holds no reply."""
    try:
        return Entry(entry_id, json.loads(fields["payload"])) if fields else None
    except (KeyError, ValueError) as exc:
        log.error("entry %s holds no reply: %s", entry_id, type(exc).__name__)
        return None


def _create_group(client: redis.Redis) -> None:
    try:
        client.xgroup_create(OUTBOUND, GROUP, id="0", mkstream=True)
    except redis.ResponseError as exc:
        if "BUSYGROUP" not in str(exc):
            raise


# The program


def run(options: argparse.Namespace, environ: Mapping[str, str]) -> None:
    """Serves the webhook and sends replies until SIGTERM or Ctrl-C; what is being sent is sent."""
    client = connect(environ)
    secrets = environ["WHATSAPP_APP_SECRET"], environ["WHATSAPP_VERIFY_TOKEN"]
    server = WebhookServer((options.host, options.port), client, options.replicas, *secrets)
    schedule, stop = Schedule(), threading.Event()
    sender = Sender(client, schedule)
    graphs = [
        Graph(options.graph_url, environ["WHATSAPP_TOKEN"], environ.get("WHATSAPP_PHONE_ID"))
        for _ in range(options.parallel)
    ]
    threads = [threading.Thread(target=sender.work, args=(graph,)) for graph in graphs]
    threads.append(threading.Thread(target=read, args=(client, schedule, stop)))
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: threading.Thread(target=server.shutdown).start())
    for thread in threads:
        thread.start()
    log.info("the webhook is http://%s:%d/webhook", *server.server_address[:2])
    server.serve_forever(poll_interval=0.1)
    stop.set()
    schedule.close()
    for thread in threads:
        thread.join()


def main() -> int:
    """Returns the exit code: 2 where something is missing in the environment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1", help="address of the webhook (%(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port of the webhook, 0 for any (%(default)s)")
    parser.add_argument("--parallel", type=int, default=8, help="customers who are sent to side by side (%(default)s)")
    parser.add_argument(
        "--replicas",
        type=int,
        default=0,
        help="replicas of Redis that must have a body before Meta is told that it arrived (%(default)s)",
    )
    parser.add_argument("--graph-url", default="https://graph.facebook.com/v26.0", help="Graph API (%(default)s)")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    needed = ["REDIS_URL", "WHATSAPP_TOKEN", "WHATSAPP_APP_SECRET", "WHATSAPP_VERIFY_TOKEN"]
    if "sentinel" in os.environ.get("REDIS_URL", "").partition(":")[0]:
        needed.append("REDIS_MASTER_NAME")
    if missing := [name for name in needed if not os.environ.get(name)]:
        sys.stderr.write(f"missing in the environment: {', '.join(missing)}\n")
        return 2
    run(options, os.environ)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the documents tell people to run does what they say, against the real servers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import redis
from helpers import yaml_text
from helpers.basics import GUARD_S, REPOSITORY, Servers
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import Connection, text

from worker.messages.inbound import parse_payload
from worker.redisdb.streams import Streams
from worker.runtime.embedded.redis import Redis
from worker.runtime.embedded.server import Access, free_port

COMPOSE = yaml_text.load((REPOSITORY / "docker-compose.yml").read_text("utf-8"))["services"]
GATEWAY = (REPOSITORY / "docs" / "gateway.md").read_text("utf-8")
OPERATIONS = (REPOSITORY / "docs" / "operations.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", GATEWAY, re.MULTILINE | re.DOTALL)
STATEMENTS = re.findall(r"^```sql\n(.*?)^```$", OPERATIONS, re.MULTILINE | re.DOTALL)
Json = dict[str, Any]


def test_the_body_for_a_refusal_is_read() -> None:
    """It marks the reply as failed, with the code."""
    reply_id = "7b4ff223-50bb-4cfa-bc32-d1cd7b390fa9"
    names: Json = {"reply": {"reply_id": reply_id}}
    exec(compile(EXAMPLES[0], "docs/gateway.md", "exec"), names)
    parsed = parse_payload(json.dumps(names["body"]), time.time())
    assert [(status.reply_id, status.state, status.code) for status in parsed.statuses] == [
        (reply_id, "failed", 131047)
    ]
    assert parsed.rejections == ()


def test_the_shops_example_takes_each_event_once(servers: Servers, redis_client: redis.Redis) -> None:
    """What a run that died had taken comes first; an event published twice is handled once; what was erased is passed
    over.
    """
    names: Json = {"__name__": "example"}
    exec(compile(EXAMPLES[2], "docs/gateway.md", "exec"), names)
    client: redis.Redis = names["connect"](servers.redis_url)
    names["create_group"](client)
    order = {"id": 1, "customer": "549", "status": "received", "items": [], "total": "1.00", "currency": "ARS"}
    events = [
        {"event_id": name, "event": "placed", "order": order | {"delivery": "pickup", "address": None}}
        for name in ("e1", "e2", "e3")
    ]
    streams = Streams(redis_client)
    streams.publish_orders(events)

    def dies(_event: Json) -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        names["take"](client, dies, ">")
    client.xdel("whatsapp:orders", client.xrange("whatsapp:orders", count=1)[0][0])
    redis_client.delete("published:order:e2")
    streams.publish_orders(events[1:2])
    seen: list[Json] = []
    assert [names["take"](client, seen.append, start) for start in ("0", ">", "0")] == [3, 1, 0]
    assert [event["event_id"] for event in seen] == ["e2", "e3"]
    names["show"](seen[0])
    client.close()


def test_the_celery_example_reaches_the_queue(
    servers: Servers, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task goes to queue `inbound`, as JSON, with the payload as its only argument."""
    monkeypatch.setenv("REDIS_URL", servers.redis_url)
    names: Json = {}
    exec(compile(EXAMPLES[1], "docs/gateway.md", "exec"), names)
    names["enqueue_by_celery"]({"message_id": "m"})
    names["celery"].close()
    queued: Any = redis_client.lrange("inbound", 0, -1)
    assert [json.loads(task)["headers"]["task"] for task in queued] == ["worker.receive"]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_statements_for_operators_run(connection: Connection, statement: str) -> None:
    """Every statement in the document fits the schema."""
    for part in filter(str.strip, statement.split(";")):
        connection.execute(text(part.replace(":", r"\:")))


@pytest.mark.parametrize(
    ("service", "policy", "saves"), [("redis", "noeviction", "yes"), ("redis-cache", "allkeys-lfu", "no")]
)
def test_the_redis_of_compose_starts(tmp_path: Path, service: str, policy: str, saves: str) -> None:
    """Its command gives a server with the settings of its role that lets nobody in without the password."""
    port = free_port()
    program = Redis(tmp_path).command(Access(port=port, password="unused"))[0]
    script = COMPOSE[service]["command"][-1].replace("$$", "$").replace("dir /data", f"dir {tmp_path}")
    script = script.replace("redis-server -", f"{program} -", 1).replace("maxmemory 1gb", f"port {port}\nmaxmemory 1gb")
    process = subprocess.Popen(
        ["sh", "-c", script], env=os.environ | {"REDISCLI_AUTH": "secret"}, cwd=tmp_path, stdout=subprocess.DEVNULL
    )
    try:
        at_once = Retry(NoBackoff(), 0)
        with redis.Redis(port=port, password="secret", decode_responses=True, retry=at_once) as client:
            wait_for(client)
            assert client.config_get("maxmemory*")["maxmemory-policy"] == policy
            assert client.config_get("maxmemory")["maxmemory"] == str(2**30)
            assert client.config_get("appendonly")["appendonly"] == saves
        with redis.Redis(port=port, retry=at_once) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        assert "secret" not in Path(f"/proc/{process.pid}/cmdline").read_text("utf-8")
    finally:
        process.terminate()
        process.wait(GUARD_S)


def wait_for(client: redis.Redis) -> None:
    """Returns when the server answers; fails after 10 s."""
    deadline = time.monotonic() + GUARD_S
    while True:
        try:
            client.ping()
            return
        except redis.ConnectionError:
            assert time.monotonic() < deadline, "the server does not answer"

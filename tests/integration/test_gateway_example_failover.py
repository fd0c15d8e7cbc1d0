"""The gateway of `examples/` where another Redis takes over: under Sentinels, and on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
import redis
from helpers.gateway_process import GatewayProcess, gateway_process, wait_until
from helpers.graph_api import PHONE_ID, GraphApi, body_of, deliver, graph_api
from helpers.redis_cluster import redis_cluster
from helpers.redis_group import redis_group

from worker.redisdb.connect import connect_durable
from worker.redisdb.keys import INBOUND, OUTBOUND
from worker.settings import read_settings

pytestmark = pytest.mark.long


@dataclass(frozen=True, slots=True)
class Setting:
    """Servers, the settings that lead to them, and what lets the master of the inbound stream die and come back."""

    settings: dict[str, str]
    fail_over: Callable[[], object]


@contextmanager
def sentinels(directory: Path) -> Iterator[Setting]:
    """A group with two replicas."""
    with redis_group(directory, replicas=2) as group:
        yield Setting(group.settings, lambda: group.fail_over())


@contextmanager
def cluster(directory: Path) -> Iterator[Setting]:
    """Three masters with a replica each."""
    with redis_cluster(directory, replicas=True) as nodes:
        yield Setting({"REDIS_URL": nodes.url}, lambda: nodes.revive(nodes.fail_over(INBOUND.pattern)))


@pytest.mark.parametrize("servers", [sentinels, cluster])
def test_the_gateway_goes_on_with_the_next_master(tmp_path: Path, servers: Callable[[Path], Setting]) -> None:
    """A body that a replica must have is taken before and after a failover, and replies are sent."""
    log = tmp_path / "gateway.log"
    with servers(tmp_path / "redis") as setting, graph_api() as api:
        more = {name: value for name, value in setting.settings.items() if name != "REDIS_URL"}
        url, client = setting.settings["REDIS_URL"], connect_durable(read_settings(setting.settings))
        with client, gateway_process(url, api, log, "--replicas", "1", **more) as gateway:
            goes_through(gateway, api, client, "wamid.A")
            setting.fail_over()
            goes_through(gateway, api, client, "wamid.B")


def goes_through(gateway: GatewayProcess, api: GraphApi, client: redis.Redis, message_id: str) -> None:
    """A body of Meta's reaches the stream, and a reply the Graph API."""
    wait_until(lambda: deliver(gateway.webhook, body_of(messages=[{"id": message_id}])) == 200, gateway.log)
    assert any(message_id.encode() in fields[b"payload"] for _, fields in client.xrange(INBOUND.pattern))
    reply = {"reply_id": message_id, "to": "5491100000001", "channel": PHONE_ID, "text": message_id}
    reply |= {"quick_replies": [], "list": None, "expires_at": "2100-01-01T00:00:00Z"}
    client.xadd(OUTBOUND.pattern, {"payload": orjson.dumps(reply)})
    wait_until(lambda: any(message_id in str(message) for message in api.sent), gateway.log)

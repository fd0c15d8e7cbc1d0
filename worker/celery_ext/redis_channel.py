"""What kombu's Redis channels do for every message and ours can do without. Each saves a tenth of a worker's time."""

from __future__ import annotations

from collections.abc import Collection
from functools import wraps
from typing import Any

from kombu.transport import redis, virtual

#: kombu ships no types.
CHANNELS: Any = redis.Channel
COPYING: Any = redis.QoS
COUNTING: Any = virtual.QoS


def keep_clients() -> None:
    """Lets channels keep the client they send with. By itself kombu makes one for every message sent and every
    acknowledgement, each with its table of some hundred answers to parse. What sockets there are is the pool's matter,
    before and after.
    """
    made = CHANNELS._create_client
    if hasattr(made, "__wrapped__"):
        return

    @wraps(made)
    def kept(channel: Any, asynchronous: bool = False) -> Any:
        if asynchronous:
            return made(channel, asynchronous=True)
        client = vars(channel).get("kept_client")
        if client is None or client.connection_pool is not channel.pool:
            client = channel.kept_client = made(channel)
        return client

    CHANNELS._create_client = kept


def take_without_copy(queues: Collection[str]) -> None:
    """Leaves no copy in Redis of what is taken from these queues. The copy would be sent back whole, and deleted when
    the message is acknowledged, which for tasks that acknowledge early is before anything is done with it. Only for a
    process that does what it takes at once: what it had in reserve would be gone with it.
    """

    class Taking(COPYING):  # type: ignore[misc]  # kombu ships no types
        """As kombu's own, which counts and copies; for `queues` it only counts."""

        def append(self, message: Any, delivery_tag: str) -> None:
            how = COUNTING if message.delivery_info["routing_key"] in queues else COPYING
            how.append(self, message, delivery_tag)

        def ack(self, delivery_tag: str) -> None:
            message = self._delivered.get(delivery_tag)
            taken = message is not None and message.delivery_info["routing_key"] in queues
            (COUNTING if taken else COPYING).ack(self, delivery_tag)

    CHANNELS.QoS = Taking

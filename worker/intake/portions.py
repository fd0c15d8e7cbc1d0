"""Reading of the inbound stream in portions, so that bodies of megabytes neither fill the memory nor keep the sweep."""

from collections import deque

from redis.exceptions import ResponseError

from worker.redisdb.streams import Entry, Streams

BLOCK_MS = 500
#: Entries read at a time: 32 bodies of 3 MiB are 96 MiB, the most that is held of the stream.
SLICE = 32
#: Payloads of a portion; a larger one is a portion alone.
PORTION_BYTES = 1_048_576


class Portions:
    """Entries of the stream in its order: of a pass over what is pending, or new ones.

    Args:
        count: most entries of a portion.
    """

    def __init__(self, streams: Streams, count: int) -> None:
        self._streams = streams
        self._count = count
        self._ahead: deque[Entry] = deque()

    def begin_pass(self) -> None:
        """Begins a pass over what is pending, to which what was read and not taken belongs too."""
        self._ahead.clear()

    def take(self, pass_from: bytes | None, block_ms: int = BLOCK_MS) -> list[Entry]:
        """The next portion: pending entries behind `pass_from`, or, where that is None, new ones, for which it waits up
        to `block_ms`.
        """
        if not self._ahead:
            self._read(pass_from, block_ms)
        portion: list[Entry] = []
        room = PORTION_BYTES
        while self._ahead and (not portion or size(self._ahead[0]) <= room):
            portion.append(self._ahead.popleft())
            room -= size(portion[-1])
        return portion

    def _read(self, pass_from: bytes | None, block_ms: int) -> None:
        after, room = pass_from, PORTION_BYTES
        while (wanted := min(SLICE, self._count - len(self._ahead))) > 0 and room > 0:
            found = self._slice(after, wanted, block_ms)
            self._ahead += found
            if len(found) < wanted:
                return
            room -= sum(map(size, found))
            after = found[-1].id if pass_from is not None else None

    def _slice(self, after: bytes | None, count: int, block_ms: int) -> list[Entry]:
        try:
            if after is not None:
                return self._streams.read(pending=True, count=count, after=after)
            return self._streams.read(pending=False, count=count, block_ms=None if self._ahead else block_ms)
        except ResponseError as exc:
            if "NOGROUP" not in str(exc):
                raise
            # Redis came back without its data.
            self._streams.create_group()
            return []


def size(entry: Entry) -> int:
    """Bytes of an entry's payload."""
    return len(entry.payload or b"")

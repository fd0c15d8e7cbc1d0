"""A Redis client for many threads: what they ask at about the same time makes one round trip.

A thread that asks while nobody else does sends its command itself, at once. What others ask until its answer is there
goes next, all of it together. Nobody waits for others to come, and under load round trips carry more by themselves: for
128 calls of providers side by side, sending and receiving one command at a time was most of what a process did.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

import redis

from worker.log import logger

log = logger(__name__)


class TogetherRedis(redis.Redis):
    """For commands that answer at once. A pipeline of its own goes by itself, as ever."""

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self._asking = Lock()
        self._waiting: list[_Asked] = []
        self._told: list[_Asked] = []
        self._is_led = False

    def telling(self, heard: Callable[[Any], None] | None = None) -> redis.Redis:
        """A client for commands whose answers nobody waits for: each is None at once, and they go, in their order, with
        the next command that is asked of this client. That some were lost is in the log. heard: called with each answer
        by whichever thread got it; what it raises is in the log.
        """
        return _Telling(self, heard)

    def tell(self, args: tuple[Any, ...], options: dict[str, Any], heard: Callable[[Any], None] | None) -> None:
        """One such command."""
        with self._asking:
            self._told.append(_Asked(args, options, heard))

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """The answer to one command. Raises RedisError, as every client does; where no answer comes, after at most
        twice the time that the connection has: for the round trip under way, and for the one with this command.
        """
        asked = _Asked(args, options)
        with self._asking:
            self._waiting.append(asked)
            leads, self._is_led = not self._is_led, True
        if not leads:
            asked.turn.acquire()
        if not asked.is_answered:
            self._lead()
        if isinstance(asked.answer, Exception):
            raise asked.answer
        return asked.answer

    def _lead(self) -> None:
        """One round trip for all who wait, and then the lead is another's."""
        with self._asking:
            told, self._told = self._told, []
            waiting, self._waiting = self._waiting, []
        together = told + waiting
        answers: list[Any] = [redis.ConnectionError("the round trip was broken off")] * len(together)
        try:
            answers = self._round_trip(together)
        except Exception as exc:  # noqa: BLE001  each thread raises it as its own
            answers = [exc] * len(together)
        finally:
            # Also where something else ends this thread: the others would wait for it for ever.
            self._hand_over(together, answers)
        if lost := [asked.answer for asked in told if isinstance(asked.answer, Exception)]:
            log.warning("commands_lost", commands=len(lost), error=type(lost[0]).__name__)
        for asked in told:
            if asked.heard and not isinstance(asked.answer, Exception):
                _hear(asked.heard, asked.answer)

    def _hand_over(self, together: list[_Asked], answers: list[Any]) -> None:
        for asked, answer in zip(together, answers, strict=True):
            asked.answer, asked.is_answered = answer, True
        with self._asking:
            following = self._waiting[:1]
            self._is_led = bool(following)
        for asked in (*together, *following):
            asked.turn.release()

    def _round_trip(self, together: list[_Asked]) -> list[Any]:
        if len(together) == 1:
            return [super().execute_command(*together[0].args, **together[0].options)]  # type: ignore[no-untyped-call]
        with self.pipeline(transaction=False) as pipeline:
            for asked in together:
                pipeline.execute_command(*asked.args, **asked.options)  # type: ignore[no-untyped-call]  # redis-py's
            return pipeline.execute(raise_on_error=False)


def _hear(heard: Callable[[Any], None], answer: Any) -> None:
    try:
        heard(answer)
    except Exception as exc:
        # It is not about the command of the thread that happens to be here.
        log.exception("answer_not_heard", error=type(exc).__name__)


class _Asked:
    """A command of one thread. turn: held until it is answered or its thread is to lead. heard: see `telling`."""

    __slots__ = ("answer", "args", "heard", "is_answered", "options", "turn")

    def __init__(
        self, args: tuple[Any, ...], options: dict[str, Any], heard: Callable[[Any], None] | None = None
    ) -> None:
        self.args, self.options, self.heard = args, options, heard
        self.answer: Any = None
        self.is_answered = False
        self.turn = Lock()
        self.turn.acquire()


class _Telling(redis.Redis):
    """See `TogetherRedis.telling`. Has no connections."""

    def __init__(self, together: TogetherRedis, heard: Callable[[Any], None] | None) -> None:
        super().__init__(connection_pool=together.connection_pool)
        self._together = together
        self._heard = heard

    def execute_command(self, *args: Any, **options: Any) -> None:
        self._together.tell(args, options, self._heard)

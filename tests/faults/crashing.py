"""The main program of every process of a town: makes it breakable from outside, then starts it as production does.

Called with the path of a `Spec` and the command line that production would use: MODULE ARGUMENT...
"""

from __future__ import annotations

import copy
import json
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
#: A text with this word kills the process that routes it, every time.
KILLER = "matalotodo"
#: A text with this word is a defect of ours in the first run, and none in the runs that the sweep starts.
STUMBLE = "tropiezo"
SWEEP, PUBLISH_ONCE = "sweep", "publish_once"


def main() -> None:
    """Reads the spec, takes its environment, breaks in, runs the module."""
    sys.path.insert(0, str(TESTS))
    from faults.clock import ShiftedClock
    from faults.points import Switches

    spec = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    module, arguments = sys.argv[2], sys.argv[3:]
    clock = ShiftedClock(Path(spec["clock"]))
    clock.install_time()
    for name in spec["unset"]:
        os.environ.pop(name, None)
    os.environ.update(spec["environment"])
    _break_in(Switches(Path(spec["switches"])), spec["ai_lease_margin_s"])
    clock.install_datetime()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _break_in(switches: Any, ai_lease_margin_s: float) -> None:
    from msgspec.json import Decoder

    from worker.session.turn import Turn
    from worker.steps import call_leases

    # Annotations are read at the first use; after it the clock may change what `datetime` is.
    Decoder(Turn)
    # The one time of the service that no setting names; fifteen seconds for each crash of `worker-ai` add up.
    call_leases.AI_LEASE_MARGIN_S = ai_lease_margin_s
    _watch_commits(switches)
    _watch_passing_on(switches)
    _watch_scripts(switches)
    _weaken(switches)
    _listen_for_poison()


def _watch_commits(switches: Any) -> None:
    from db import queries
    from faults.points import COMMITS, watched

    for name in COMMITS:
        setattr(queries, name, watched(switches, name, getattr(queries, name)))


def _watch_passing_on(switches: Any) -> None:
    from celery.worker.request import Request

    from faults.points import watched
    from worker import tasks
    from worker.redisdb.streams import Streams

    Streams.read = watched(switches, "read", Streams.read)  # type: ignore[method-assign]  # that is the point
    Streams.publish = watched(switches, "publish", Streams.publish)  # type: ignore[method-assign]  # that is the point
    Streams.finish = watched(switches, "finish", Streams.finish)  # type: ignore[method-assign]  # that is the point
    Request.acknowledge = watched(switches, "acknowledge", Request.acknowledge)
    tasks.send_on = watched(switches, "send_on", tasks.send_on)


def _watch_scripts(switches: Any) -> None:
    from redis.commands.core import Script

    from faults.points import SCRIPTS, watched
    from worker.providers import budget, circuit, single_flight

    names = {circuit.SCRIPT: "breaker", budget.SCRIPT: "budget", single_flight.SCRIPT: "flight"}
    run = Script.__call__

    def call(self: Any, keys: Any = None, args: Any = None, client: Any = None) -> Any:
        place = f"{names.get(self.script, '')}.{args[0]}" if args else ""
        # JoinRequest is queued on a pipeline: the call happens where the pipeline is executed. Successes are only told.
        if place in SCRIPTS and client is None:
            return watched(switches, place, run)(self, keys, args)
        return run(self, keys, args, client)

    Script.__call__ = call  # type: ignore[method-assign]  # that is the point
    single_flight.SingleFlight.join = watched(switches, "flight.join", single_flight.SingleFlight.join)  # type: ignore[method-assign]  # as above


def _weaken(switches: Any) -> None:
    """Guards that the negative controls switch off."""
    from worker.intake.sweep import Sweep
    from worker.redisdb.streams import PUBLISH, Streams

    sweep, publish = Sweep.once, Streams.publish
    once = "redis.call('SET', KEYS[i], '1', 'NX', 'EX', ARGV[1])"
    careless = PUBLISH.replace(once, once.replace(" 'NX',", ""))
    assert careless != PUBLISH, "publish.lua has changed: this control switches nothing off"

    def once_or_not(self: Any, connection: Any) -> Any:
        return set() if switches.is_off(SWEEP) else sweep(self, connection)

    def publish_or_repeat(self: Any, replies: Any, **given: Any) -> int:
        if switches.is_off(PUBLISH_ONCE):
            self = copy.copy(self)
            self._publish = self._client.register_script(careless)
        return publish(self, replies, **given)

    Sweep.once = once_or_not  # type: ignore[method-assign]  # that is the point
    Streams.publish = publish_or_repeat  # type: ignore[method-assign]  # that is the point


def _listen_for_poison() -> None:
    from worker.steps import route_ai

    decide = route_ai.without_model

    def poisoned(turn: Any, question: Any, shop: Any, now: Any) -> Any:
        if KILLER in turn.text:
            os.kill(os.getpid(), signal.SIGKILL)
        if STUMBLE in turn.text and not turn.swept:
            raise RuntimeError(STUMBLE)
        return decide(turn, question, shop, now)

    route_ai.without_model = poisoned


if __name__ == "__main__":
    main()

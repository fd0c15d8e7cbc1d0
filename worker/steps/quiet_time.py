"""Wait for quiet: a turn that needs a model waits until its customer has written nothing for REPLY_QUIET_S, and what is
written meanwhile joins it: one answer, one call.

The wait is a row in PostgreSQL, in nobody's hands: intake claims the turn anew when it is over
(`worker.intake.quiet_turns`); where it does not, the sweep starts the turn again when its lease ends.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from db import queries
from worker.session.turn import Turn
from worker.settings import Settings
from worker.steps.locked_customers import commit_around_locked
from worker.steps.services import Services
from worker.steps.turn_commit import claim_limits

#: A turn waits at most so many times REPLY_QUIET_S from its first message on.
LONGEST = 4
#: What is left of a wait must be worth it, and long enough for intake to know of it.
LEAST_S = 0.1


def limits(settings: Settings) -> dict[str, Any]:
    """Lengths of a wait, and limits of a turn, as the database functions take them."""
    quiet_s = settings.reply_quiet_s
    return claim_limits(settings) | {"quiet_s": quiet_s, "longest_s": LONGEST * quiet_s}


def unless_writing(services: Services, missed: Sequence[Turn]) -> list[Turn]:
    """The turns whose customers are not about to write on; the others wait, and are no longer in anybody's hands. A
    swept turn is late already, and one that is `quiet` has waited.
    """
    fresh = [turn for turn in missed if not (turn.swept or turn.quiet)]
    if not fresh or not services.settings.reply_quiet_s:
        return list(missed)
    options = limits(services.settings) | {"least_s": min(LEAST_S, services.settings.reply_quiet_s / 2)}
    options["lease_s"] += options["longest_s"]

    def wait(connection: Connection, turns: Sequence[Turn]) -> set[str]:
        runs = [{"customer_phone": t.customer_phone, "token": t.token, "waited": t.waited} for t in turns]
        return queries.wait_for_quiet(connection, options | {"turns": runs})

    # Who is locked goes on to the next commit, which deals with that.
    waiting, _ = commit_around_locked(services.engine, fresh, wait)
    tokens = set().union(*waiting)
    return [turn for turn in missed if turn.token not in tokens]

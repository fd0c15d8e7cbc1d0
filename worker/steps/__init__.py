"""Steps of the chain, each over a batch of turns of different customers: a file by the step's name, with `run`. Sees no
Celery. Beside them: who holds a turn (`attempts`, `locked_customers`, `call_leases`, `quiet_time`, `turn_commit`), what
route_ai asks (`question`, `planning`), and what all share (`services`).

A step is handed turns and hands turns on. A turn that fails is taken out of its batch alone and given back to the
sweep, which starts it again.
"""

from worker.steps import call_provider, fetch_session, record_metrics, route_ai, update_session

__all__ = ["call_provider", "fetch_session", "record_metrics", "route_ai", "update_session"]

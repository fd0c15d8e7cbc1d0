"""Steps of the chain, in their order, each over a batch of turns of different customers. Sees no Celery.

A step is handed turns and hands turns on. A turn that fails is taken out of its batch alone and given back to the
sweep, which starts it again.
"""

from worker.steps.calls import call_provider
from worker.steps.commit import update_session
from worker.steps.metrics import record_metrics
from worker.steps.routing import route_ai
from worker.steps.sessions import fetch_session

__all__ = ["call_provider", "fetch_session", "record_metrics", "route_ai", "update_session"]

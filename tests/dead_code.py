"""Code that nothing uses: in the service, where a use by a test is none, and in what tests share.

vulture finds what has a name that stands nowhere else. What others use by its name stands in EXCEPTIONS, with who does;
an exception that excepts nothing is reported too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from vulture import Vulture

ROOT = Path(__file__).parents[1]
SERVICE = ("worker", "db", "alembic")
CONFIDENCE = 60
#: Names (`file:name`, with wildcards) by who uses them.
EXCEPTIONS = {
    "pydantic reads and calls them": (
        "*:cls",
        "*:model_config",
        "worker/catalog/price_list.py:one_reading",
        "worker/catalog/price_list.py:in_cents",
        "worker/catalog/price_list.py:known_unit",
        "worker/catalog/price_list.py:usual_step",
        "worker/catalog/price_list.py:whole_pieces",
        "worker/settings.py:is_url",
        "worker/settings.py:without_slashes",
        "worker/shop/shop_file_form.py:*",
    ),
    "the providers' file names the settings that hold their keys and addresses": (
        "worker/settings.py:*_api_key",
        "worker/settings.py:*_base_url",
    ),
    "msgspec writes them, for PostgreSQL and the gateway": (
        "worker/messages/message.py:edited",
        "worker/messages/reply.py:in_reply_to",
        "worker/orders/order.py:*",
        "worker/session/session.py:delivery_fee",
        "worker/session/session.py:human_since",
        "worker/session/outcome.py:*",
    ),
    "Celery finds tasks and receivers of its signals": (
        "worker/app.py:keep_turns",
        "worker/app.py:configure_logging",
        "worker/app.py:tune_gc",
        "worker/chain.py:send_traces",
        "worker/periodic.py:*",
    ),
    "Celery and kombu name, read or call them": (
        "worker/app.py:amqp_cls",
        "worker/celery_ext/active_beat.py:ActiveScheduler",
        "worker/celery_ext/queues.py:acknowledged",
        "worker/celery_ext/processes.py:*",
        "worker/celery_ext/broker.py:PromptAMQP",
        "worker/celery_ext/broker.py:connection_class*",
        "worker/celery_ext/redaction.py:safe",
    ),
    "redis-py calls it": ("worker/redisdb/sentinel.py:discover_master",),
    "click finds commands": (
        "worker/operate/commands/database.py:import_catalog",
        "worker/operate/commands/orders.py:set_status",
    ),
    "http.server, socketserver and uvicorn read and call them": (
        "*:address_family",
        "*:daemon_threads",
        "*:disable_nagle_algorithm",
        "*:do_POST",
        "*:log_message",
        "*:log_request",
        "*:protocol_version",
        "*:request_queue_size",
        "*:should_exit",
        "*:timeout_graceful_shutdown",
        "*:wbufsize",
    ),
    "urllib3 and io read and call them": ("worker/providers/transport.py:*",),
    "circuit.lua reads them": (
        "worker/providers/circuit_rules.py:*_ms",
        "worker/providers/circuit_rules.py:*_rate",
        "worker/providers/circuit_rules.py:least_calls",
        "worker/providers/circuit_rules.py:unclear_customers",
    ),
    "SQLAlchemy calls and reads them": (
        "db/servers.py:arrange",
        "db/servers.py:is_disconnect",
        "db/servers.py:leave",
        "db/servers.py:remember",
    ),
    "the dashboard's templates and charts name them": (
        "db/dashboard.py:*",
        "worker/operate/dashboard/figures.py:messages_per_session",
        "worker/operate/dashboard/figures.py:timeline",
        "worker/operate/display.py:milliseconds",
    ),
    "jinja reads them": ("worker/operate/dashboard/page.py:filters", "worker/operate/dashboard/page.py:globals"),
    "selenium sends it to the browser": ("tests/helpers/dashboard_browser.py:binary_location",),
    "subprocess calls and reads them": (
        "tests/helpers/quick_up.py:_child_created",
        "tests/helpers/quick_up.py:_execute_child",
    ),
    "logging and structlog read and call them": ("worker/log.py:debug", "worker/log.py:handlers"),
    "the simulator's files of data name them": (
        "worker/devkit/assistant.py:*",
        "worker/devkit/sold_models.py:*",
    ),
    "a function in SQL names it": ("db/locks.py:ROLL_UP_LOCK",),
}


def unused() -> Iterator[str]:
    """`file:name` of all that nothing uses, with its line."""
    for paths, reported in ((SERVICE, SERVICE[:2]), ((*SERVICE, "tests"), ("tests/helpers",))):
        finder = Vulture()
        finder.scavenge([str(ROOT / path) for path in paths])
        for item in finder.get_unused_code(min_confidence=CONFIDENCE):
            file = Path(item.filename).resolve().relative_to(ROOT)
            if any(file.is_relative_to(path) for path in reported):
                yield f"{file}:{item.name}"


def main() -> int:
    """Prints what is dead and what is no exception any more; 1 where there is any."""
    found = set(unused())
    patterns = [pattern for names in EXCEPTIONS.values() for pattern in names]
    dead = sorted(name for name in found if not any(fnmatchcase(name, pattern) for pattern in patterns))
    stale = [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in found)]
    for name in dead:
        print(f"{name} is used by nobody")  # noqa: T201  it is a command
    for pattern in stale:
        print(f"{pattern} excepts nothing any more")  # noqa: T201  it is a command
    return bool(dead or stale)


if __name__ == "__main__":
    sys.exit(main())

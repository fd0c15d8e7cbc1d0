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
        "worker/catalog/price_list.py:brand",
        "worker/catalog/price_list.py:one_reading",
        "worker/catalog/price_list.py:in_cents",
        "worker/settings.py:is_url",
        "worker/settings.py:without_slashes",
    ),
    "the providers' file names the settings that hold their keys and addresses": (
        "worker/settings.py:*_api_key",
        "worker/settings.py:*_base_url",
    ),
    "msgspec writes them, for PostgreSQL": ("worker/session/turn.py:*",),
    "Celery finds tasks and receivers of its signals": (
        "worker/app.py:keep_turns",
        "worker/app.py:configure_logging",
        "worker/tasks.py:*",
    ),
    "Celery and kombu name or call them": (
        "worker/celery_ext/inline_dispatch.py:_decoded_cache",
        "worker/celery_ext/processes.py:*",
        "worker/celery_ext/redaction.py:MaskedRequest",
        "worker/celery_ext/redaction.py:safe",
        "worker/celery_ext/redis_channel.py:kept_client",
    ),
    "click finds commands": (
        "worker/operate/commands/database.py:import_catalog",
        "worker/operate/commands/dead.py:discard",
        "worker/operate/commands/dead.py:replay",
    ),
    "charts.toml and texts.html of the dashboard name them": (
        "db/dashboard.py:*_rate",
        "db/dashboard.py:*_usd",
        "db/dashboard.py:died_at",
        "db/dashboard.py:p*_ms",
        "worker/operate/dashboard/figures.py:messages_per_session",
        "worker/operate/dashboard/figures.py:timeline",
        "worker/operate/dashboard/formats.py:milliseconds",
    ),
    "Jinja reads them": ("worker/operate/dashboard/page.py:filters", "worker/operate/dashboard/page.py:globals"),
    "http.server, socketserver and uvicorn read and call them": (
        "*:address_family",
        "*:close_connection",
        "*:daemon_threads",
        "*:disable_nagle_algorithm",
        "*:do_GET",
        "*:do_POST",
        "*:log_message",
        "*:log_request",
        "*:process_request",
        "*:protocol_version",
        "*:request_queue_size",
        "*:should_exit",
        "*:timeout_graceful_shutdown",
        "*:wbufsize",
    ),
    "requests and urllib3 read and call them": ("worker/providers/transport.py:*",),
    "selenium sends it to the browser": ("tests/helpers/dashboard_browser.py:binary_location",),
    "opentelemetry calls them": ("worker/telemetry/otlp.py:generate_*_id",),
    "logging and structlog read and call them": ("worker/log.py:debug", "worker/log.py:handlers"),
    "tests read them": ("worker/messages/reply.py:to_json", "worker/session/session.py:cart_totals"),
    "a function in SQL names it": ("db/locks.py:ROLL_UP_LOCK",),
    "tests call the database function by it; the sweep does so within another": ("db/queries.py:sweep_turns",),
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

"""Server of the page: one process that runs until it is told to stop."""

import logging
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import uvicorn
from fastapi import FastAPI
from nicegui import ui
from starlette.types import ASGIApp

from db.engine import make_engine
from worker.errors import ConfigurationError
from worker.operate.dashboard.access import Access
from worker.operate.dashboard.feed import Feed
from worker.operate.dashboard.gate import Gate
from worker.operate.dashboard.page import register
from worker.providers.circuit_states import named
from worker.providers.providers_file import load_providers
from worker.redisdb.connect import connect_cache, connect_durable
from worker.settings import Settings

#: Longer than any query of ours should take, shorter than anybody likes to wait.
STATEMENT_TIMEOUT_MS = 8_000
REDIS_TIMEOUT_S = 2.0
ICON = Path(__file__).with_name("icon.svg")


def serve(configuration: Settings, on_ready: Callable[[str], None], stop: Event) -> None:
    """Serves until SIGINT, SIGTERM or `stop`; calls `on_ready` with the address. Raises ConfigurationError."""
    access = Access(configuration)
    with listening(configuration.dashboard_host, configuration.dashboard_port) as server_socket:
        app = make_app(configuration, access)
        on_ready(f"http://{configuration.dashboard_host}:{configuration.dashboard_port}")
        # Forwarded headers are not believed: with them an attacker could guess passwords from ever new addresses.
        config = uvicorn.Config(app, log_config=None, access_log=False, proxy_headers=False, server_header=False)
        config.timeout_graceful_shutdown = 2
        server = uvicorn.Server(config)
        # At INFO it writes down who connects, and by which id.
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        Thread(target=_end, args=(server, stop), daemon=True).start()
        server.run(sockets=[server_socket])


def make_app(configuration: Settings, access: Access) -> ASGIApp:
    """Returns the application behind its gate. Connects nothing yet."""
    durable = connect_durable(configuration, REDIS_TIMEOUT_S)
    cache = durable if configuration.has_one_redis else connect_cache(configuration, REDIS_TIMEOUT_S)
    engine = make_engine(configuration.required("database_url"), pool_size=5, statement_timeout_ms=STATEMENT_TIMEOUT_MS)
    providers = named(load_providers(configuration))
    register(configuration, access, Feed(engine, durable, cache, providers), engine, cache, providers)
    app = FastAPI(openapi_url=None)
    ui.run_with(app, title="Chasqui", favicon=ICON, language="en-US", tailwind=False, show_welcome_message=False)
    return Gate(app, access)


def listening(host: str, port: int) -> closing[socket.socket]:
    """Returns a socket that listens; raises ConfigurationError where the address cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return closing(socket.create_server((host, port), family=family))
    except OSError as exc:
        reason = str(exc.strerror).partition(" (")[0]
        raise ConfigurationError(
            f"the dashboard cannot listen on {host}:{port}: {reason}. Set DASHBOARD_HOST or DASHBOARD_PORT."
        ) from exc


def _end(server: uvicorn.Server, stop: Event) -> None:
    stop.wait()
    server.should_exit = True

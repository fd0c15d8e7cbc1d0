"""Three language model providers in one local HTTP server, and every way they can misbehave.

The first part of the path names the provider: `/openai/v1`, `/gemini/v1beta`, `/deepseek`. Completions are answered by
`shopkeeper.answer`, and refused where the real API would: models and parameters are those of `sold_models.toml`.
`GET /control` shows behaviours and counters; `POST /control` changes them while the server runs:
`{"provider": "openai", "mode": "hang"}` (`"all"`, or no provider: all three; `"reset": true` sets counters to zero,
`"forget": true` empties the prompt caches), `{"provider": "openai", "models": {"gpt-6-luna": "gone"}}`.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Thread
from types import TracebackType
from typing import Any, Self

import click

from worker.devkit.behaviour import Behaviour, Calls, SimulatedProvider
from worker.devkit.endpoint import BASE_PATHS, LOOK_EVERY_S, SimulatorServer


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """port: 0 takes a free one. seed: of latencies and failures. everyone: behaviour of those not in `providers`."""

    port: int = 0
    seed: int = 0
    everyone: Behaviour = field(default_factory=Behaviour)
    providers: Mapping[str, Behaviour] = field(default_factory=dict)


class Simulator:
    """The three providers as a context manager: listens on 127.0.0.1 inside the block, leaves no thread or socket."""

    def __init__(self, options: SimulatorOptions | None = None) -> None:
        self._options = options or SimulatorOptions()

    def __enter__(self) -> Self:
        """Listens. Raises OSError where the port is taken."""
        options = self._options
        behaviours = {name: options.providers.get(name, options.everyone) for name in BASE_PATHS}
        providers = {name: SimulatedProvider(each, f"{options.seed}:{name}") for name, each in behaviours.items()}
        self._server = SimulatorServer(options.port, providers)
        self._thread = Thread(target=self._server.serve_forever, args=(LOOK_EVERY_S,), name="simulator", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: BaseException | TracebackType | type[BaseException] | None) -> None:
        self._server.close()
        self._thread.join()

    @property
    def control_url(self) -> str:
        """Where GET shows and POST changes behaviours."""
        return f"http://127.0.0.1:{self._server.server_port}/control"

    @property
    def base_urls(self) -> dict[str, str]:
        """The environment that points Chasqui here: OPENAI_BASE_URL, GEMINI_BASE_URL, DEEPSEEK_BASE_URL."""
        root = f"http://127.0.0.1:{self._server.server_port}"
        return {f"{name.upper()}_BASE_URL": root + path for name, path in BASE_PATHS.items()}

    def set(self, provider: str, **fields: Any) -> None:
        """Changes fields of `Behaviour` for one provider or "all", the others stay. ValueError for a bad one."""
        self._server.change(provider, fields)

    def calls(self, provider: str) -> int:
        """Completion calls taken so far."""
        return self.counters(provider).calls

    def counters(self, provider: str) -> Calls:
        """A copy of a provider's counters."""
        return self._server.providers[provider].counted()

    def forget(self) -> None:
        """Empties all prompt caches."""
        for provider in self._server.providers.values():
            provider.cache.forget()

    def reset(self) -> None:
        """Sets all counters to zero."""
        for provider in self._server.providers.values():
            provider.reset()


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--seed", type=int, default=0, help="Seed of latencies and failures.")
def main(port: int, seed: int) -> None:
    """Run the simulated providers until SIGTERM or SIGINT; the first line of output is their URLs as JSON."""
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)  # before any thread, so that none of them takes the signal
    try:
        with Simulator(SimulatorOptions(port=port, seed=seed)) as simulator:
            click.echo(json.dumps(simulator.base_urls | {"CONTROL_URL": simulator.control_url}))
            signal.sigwait(ending)
    except OSError as exc:
        raise click.ClickException(f"port {port}: {exc.strerror}") from exc


if __name__ == "__main__":
    main()

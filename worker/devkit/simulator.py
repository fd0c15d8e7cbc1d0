"""Simulator of three language model providers in one local HTTP server, and of every way they can misbehave.

The first part of the path names the provider: `/openai/v1`, `/gemini/v1beta`, `/deepseek`. Completions are answered by
`assistant.answer`, and refused where the real API would: models and parameters are those of `sold_models.toml`.
`GET /control` shows behaviours and counters; `POST /control` changes them while the server runs:
`{"provider": "openai", "mode": "hang"}` (`"all"`, or no provider: all three; `"reset": true` sets counters to zero,
`"forget": true` empties the prompt caches), `{"provider": "openai", "models": {"gpt-6-luna": "gone"}}`.
"""

import json
import signal
from threading import Thread
from typing import Self

import click

from worker.devkit.behaviour import CallCounters, SimulatedProvider
from worker.devkit.server import LOOK_EVERY_S, SimulatorServer
from worker.devkit.sold_models import APIS


class Simulator(SimulatorServer):
    """The three providers as a context manager: listens inside its block, and leaves no thread or socket.

    Args:
        port: 0 takes a free one.
        seed: of latencies and failures.
    """

    def __init__(self, port: int = 0, seed: int = 0) -> None:
        super().__init__(port, {name: SimulatedProvider(f"{seed}:{name}") for name in APIS})
        self._thread = Thread(target=self.serve_forever, args=(LOOK_EVERY_S,), name="simulator", daemon=True)

    def __enter__(self) -> Self:
        """Listens. Raises OSError where the port is taken."""
        try:
            self.server_bind()
            self.server_activate()
        except OSError:
            self.server_close()
            raise
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._thread.join()

    @property
    def control_url(self) -> str:
        """Address where GET shows and POST changes behaviours."""
        return f"http://127.0.0.1:{self.server_port}/control"

    @property
    def base_urls(self) -> dict[str, str]:
        """Environment that points Chasqui here: OPENAI_BASE_URL, GEMINI_BASE_URL, DEEPSEEK_BASE_URL."""
        root = f"http://127.0.0.1:{self.server_port}"
        return {f"{name.upper()}_BASE_URL": root + api.base_path for name, api in APIS.items()}

    def calls(self, provider: str) -> int:
        """Counts the completion calls taken so far."""
        return self.counters(provider).calls

    def counters(self, provider: str) -> CallCounters:
        """Copies a provider's counters."""
        return self.providers[provider].counted()


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--seed", type=int, default=0, help="Seed of latencies and failures.")
def main(port: int, seed: int) -> None:
    """Run the simulated providers until SIGTERM or SIGINT; the first line of output is their URLs as JSON."""
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)  # before any thread, so that none of them takes the signal
    try:
        with Simulator(port, seed) as simulator:
            click.echo(json.dumps(simulator.base_urls | {"CONTROL_URL": simulator.control_url}))
            signal.sigwait(ending)
    except OSError as exc:
        raise click.ClickException(f"port {port}: {exc.strerror}") from exc


if __name__ == "__main__":
    main()

"""A model that says what a test wants: the simulated assistant's words, a decision of the test's own, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from helpers.http_provider import Handler, Server, say, serving
from worker.devkit.assistant import answer
from worker.devkit.spanish import facts_in

Json = dict[str, Any]
#: What a model says to a request: the context (products, session, message) and the schema of its answers.
Mind = Callable[[Json, Json], Json]
AWAY = say(503, {"error": {"message": "busy"}})


def assistant(context: Json, _schema: Json) -> Json:
    """The words of the simulated assistant."""
    return answer(context)


def always(**changes: Any) -> Mind:
    """A model that gives one decision, whatever it is asked."""
    given = {"intent": "unknown", "confidence": 1, "entities": [], "quick_replies": [], "requires_human": False}
    decision = given | {"reply": "¡Claro!", "next_state": None, "cart_operations": []} | changes
    return lambda _context, _schema: decision


@dataclass
class Puppet:
    """The only provider of a service. mind: what it says; None while it is away."""

    server: Server
    mind: Mind | None = assistant

    def environment(self) -> dict[str, str | None]:
        """The settings by which a service asks nobody else."""
        return {
            "OPENAI_BASE_URL": f"{self.server.url}/v1",
            "DEEPSEEK_API_KEY": None,
            "GEMINI_API_KEY": None,
            "NO_PROXY": "*",
        }

    def play(self, handler: Handler) -> None:
        """Answers the request that came last over this connection."""
        if self.mind is None:
            AWAY(handler)
            return
        body = next(seen.body for seen in reversed(self.server.seen) if seen.port == handler.client_address[1])
        system, user = (_text(message["content"]) for message in body["messages"])
        context = facts_in(system) | orjson.loads(user)
        schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
        content = json.dumps(self.mind(context, schema), default=str)
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
        usage = {"prompt_tokens": 900, "completion_tokens": 90, "total_tokens": 990}
        say(200, {"choices": [choice], "usage": usage})(handler)


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


@contextmanager
def puppet() -> Iterator[Puppet]:
    """A model that says what the simulated assistant would."""
    with serving(AWAY) as server:
        made = Puppet(server)
        server.answers = [made.play]
        yield made

"""Wire values: building a request's body, and reading an answer nobody vouches for."""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from msgspec import Struct

from worker.errors import RequestRefused, ThoughtAway, UnreadableAnswer
from worker.providers.models import Provider
from worker.providers.pricing import estimate_tokens
from worker.replies.prompt import AiRequest
from worker.usage import Usage

Json = dict[str, Any]
Call = tuple[str, dict[str, str], Json]
"""URL, headers (with the key in them) and JSON body of one POST."""
Reading = tuple[str, Usage, str | None]
"""Text of an answer, its billed tokens, and the name of the model that it says made it."""

#: More tokens than any model takes or gives; PostgreSQL and Redis can still add up what they would cost.
MAX_TOKENS = 100_000_000
# Letters and underscores in one case: an error code looks so, a key or a customer's sentence does not.
_CODE = re.compile(r"[a-z_]{1,40}|[A-Z_]{1,40}")
#: A model's name as it may stand in logs, reports and keys.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}")


class Answer(Struct, frozen=True):
    """Answer of status 200, read from its wire. Values that are not what they should be are None.

    Args:
        finish: why it ended, in the wire's own word; None where it does not say.
        whole, cut: the wire's words for an end of the text's own, and for the limit of output.
        refusal: why the prompt or the answer was blocked, empty where it was not.
        thoughts: whether the model has thought.
        model: the name it answers under.
        prompt, cached, completion, written: tokens that it counts.
    """

    text: str
    finish: object
    whole: str
    cut: str
    refusal: str
    thoughts: bool
    model: object
    prompt: int | None
    cached: int | None
    completion: int | None
    written: int | None = None

    def usage(self, request: AiRequest) -> Usage | None:
        """Tokens it was billed for; None where it has neither figures nor text.

        A figure that is missing is estimated from the characters: money that was spent must not look like none.
        """
        if self.prompt is None and self.completion is None and not self.text:
            return None
        prompt = estimate_tokens(request.text) if self.prompt is None else self.prompt
        said = estimate_tokens(self.text) if self.text else 0
        cached = min(self.cached or 0, prompt)
        completion = said if self.completion is None else self.completion
        return Usage(prompt, cached, completion, min(self.written or 0, prompt - cached))

    def read(self, provider: Provider, request: AiRequest) -> Reading:
        """Its text, tokens and model.

        Raises:
            RequestRefused, ThoughtAway, UnreadableAnswer: with the usage where it was billed.
        """
        usage = self.usage(request)
        if self.refusal:
            raise RequestRefused(provider.name, self.refusal, usage=usage)
        if self.finish == self.cut and not self.text.strip() and self.thoughts:
            raise ThoughtAway(provider.name, "its thoughts took the whole limit of output", usage=usage)
        if self.finish not in (self.whole, None):
            raise UnreadableAnswer(provider.name, f"not finished: {code(self.finish)}", usage=usage)
        if usage is None or not self.text.strip():
            raise UnreadableAnswer(provider.name, "no text in it", usage=usage)
        named = isinstance(self.model, str) and _NAME.fullmatch(self.model)
        return self.text, usage, str(self.model).removeprefix("models/") if named else None


def decoded(body: str | bytes) -> object:
    """The decoded JSON, None where it is none."""
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value


def count(value: object) -> int | None:
    """A number of tokens, or None where the value is not one, or none that can be true."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS else None


def code(value: object) -> str | None:
    """A provider's own word for what happened, if it is a plain identifier that can hold neither a key nor a text."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


def key_header(provider: Provider, name: str, scheme: str = "") -> dict[str, str]:
    """The header that carries the key, none where a server needs no key.

    Args:
        name, scheme: the wire's own, where the provider names no header.
    """
    if provider.api_key is None:
        return {}
    key = provider.api_key.get_secret_value()
    return {provider.key_header: key} if provider.key_header else {name: scheme + key}


def merged(body: Json, fields: Mapping[str, Any]) -> Json:
    """The body with a model's own fields; objects are merged, other values replaced."""
    for name, value in fields.items():
        both = isinstance(value, Mapping) and isinstance(body.get(name), dict)
        body[name] = merged(dict(body[name]), value) if both else value
    return body


def nested(path: str, value: object) -> Json:
    """An object with a value at a dotted path."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value  # type: ignore[return-value]  # a path has at least one name, so it is an object

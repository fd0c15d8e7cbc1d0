"""Redaction of a provider's sentence: no key and no word of the customer reaches a log. Pure: no I/O."""

import re
from collections.abc import Iterator

from worker.providers.models import Model, Provider
from worker.providers.wires.values import decoded
from worker.replies.prompt import AiRequest

#: Characters of a sentence that are kept.
_LONGEST = 300
#: Words that may be a customer's: long enough to say something, or figures.
_WORD = re.compile(r"\w{4,}|\d{3,}")
#: A letter as servers that answer in ASCII write it.
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
#: A local server's "none" is no secret, and may be a word of its sentence.
_LEAST_KEY = 8
#: Keys as providers quote them back, whole or in part.
_KEY_LIKE = re.compile(r"\b(?:sk|gsk|xai|AIza|pplx)[-_A-Za-z0-9*.]{6,}")


def redacted(sentence: str, provider: Provider, model: Model, request: AiRequest) -> str:
    """A provider's sentence without its key and without a word of the customer, on one line."""
    key = provider.api_key.get_secret_value() if provider.api_key else ""
    line = sentence.replace(key, "…") if len(key) >= _LEAST_KEY else sentence
    line = " ".join(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), line).split())
    line = line.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    private = _words(_texts(request.user)) - _words(f"{request.system} {model.id}")
    line = _WORD.sub(lambda found: "…" if found[0].lower() in private else found[0], _KEY_LIKE.sub("…", line))
    return line[:_LONGEST]


def _texts(user: str) -> str:
    """All texts of a request's JSON as they are, and as they stand in it."""
    return f"{user} {' '.join(_strings(decoded(user.encode('utf-8', 'replace'))))}"


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}

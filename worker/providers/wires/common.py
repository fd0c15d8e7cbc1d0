"""What both wire formats share: a way into an answer nobody vouches for, its tokens, and what a status means."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from worker.errors import (
    ProviderDenied,
    ProviderError,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
    RequestRefused,
    UnreadableAnswer,
)
from worker.providers.pricing import estimate_tokens
from worker.providers.providers_file import Provider
from worker.providers.request import AiRequest
from worker.usage import Usage

Call = tuple[str, dict[str, str], dict[str, object]]
"""URL, headers (with the key in them) and JSON body of one POST."""

#: More tokens than any model takes or gives; PostgreSQL and Redis can still add up what they would cost.
MAX_TOKENS = 100_000_000
TEMPERATURE = 0.2  # answers are cached and must keep to a schema: little variety is wanted

# Letters and underscores in one case: an error code looks so, a key or a customer's sentence does not.
_CODE = re.compile(r"[a-z_]{1,40}|[A-Z_]{1,40}")
_WAIT = re.compile(r"\b(?:try again|retry) in ((?:\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h))+)")
_DURATION_PART = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def at(value: object, *path: str | int) -> object:
    """What stands at that path of a decoded JSON value; None where there is nothing or something of another form."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and step < len(value) else None
    return value


def count(value: object) -> int | None:
    """A number of tokens, or None where the value is not one, or none that can be true."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS else None


def code(value: object) -> str | None:
    """A provider's own word for what happened, if it is a plain identifier that can hold neither a key nor a text."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


def usage_of(
    request: AiRequest, text: str, prompt: int | None, cached: int | None, completion: int | None
) -> Usage | None:
    """The tokens an answer was billed for; None where it has neither figures nor text.

    A figure that is missing is estimated from the characters: money that was spent must not look like none.
    """
    if prompt is None and completion is None and not text:
        return None
    prompt_tokens = estimate_tokens(request.system + request.user) if prompt is None else prompt
    written = estimate_tokens(text) if text else 0
    return Usage(prompt_tokens, min(cached or 0, prompt_tokens), written if completion is None else completion)


def error_for(provider: Provider, status: int, retry_after: str | None, body: object, now: datetime) -> ProviderError:
    """The error an HTTP answer other than 200 stands for.

    retry_after: that header. body: the decoded JSON, None where it is none. now: against which a date in the header
    is read. The error holds the status and the provider's own code, nothing else of the answer.
    """
    error = at(body, "error")
    words = (code(at(error, key)) for key in ("code", "status", "type"))
    detail = " ".join([f"HTTP {status}", *(word for word in words if word)][:2])
    wait_s = _header_wait_s(retry_after, now) if retry_after else None
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return ProviderRateLimited(
            provider.name, detail, retry_after_s=_body_wait_s(error) if wait_s is None else wait_s
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ProviderUnavailable(provider.name, detail, retry_after_s=wait_s)
    return _class_of(status, error)(provider.name, detail)


def _class_of(status: int, error: object) -> type[ProviderError]:
    if status in (401, 402, 403) or "API_KEY_INVALID" in _each_detail(error, "reason"):
        return ProviderDenied
    if status in (400, 404, 413, 422):
        return RequestRefused
    return ProviderTimeout if status == HTTPStatus.REQUEST_TIMEOUT else UnreadableAnswer


def _each_detail(error: object, key: str) -> list[object]:
    """One field of each of Google's error details."""
    details = at(error, "details")
    return [at(detail, key) for detail in details] if isinstance(details, list) else []


def _header_wait_s(value: str, now: datetime) -> float | None:
    """Retry-After: seconds or an HTTP date (RFC 9110, 10.2.3); None where it is neither."""
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value.strip()):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())


def _body_wait_s(error: object) -> float | None:
    """The wait in Google's RetryInfo ("33s") or in the sentence of the message ("try again in 1m2s")."""
    delays = [delay for delay in _each_detail(error, "retryDelay") if isinstance(delay, str)]
    sentence = _WAIT.search(str(at(error, "message")))
    duration = delays[0] if delays else sentence[1] if sentence else ""
    parts = _DURATION_PART.findall(duration)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts else None

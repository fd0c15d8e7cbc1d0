"""Classifying an HTTP answer other than 200: which error it stands for, by status, code and sentence."""

import re
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path

from worker.errors import (
    ModelGone,
    ModelUnfit,
    ProviderDenied,
    ProviderError,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
    RequestRefused,
    UnreadableAnswer,
)
from worker.messages.fields import at, items
from worker.providers.wires.values import code

#: More of a provider's words is looked at, or shown, by nobody.
_LONGEST_WORDS = 2_000
_WAIT = re.compile(r"\b(?:try again|retry) in ((?:\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h))+)")
_DURATION_PART = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_MakeError = Callable[..., ProviderError]
_MEANINGS: dict[str, _MakeError] = {
    "denied": ProviderDenied,
    "model_gone": ModelGone,
    "model_unfit": ModelUnfit,
    "message": RequestRefused,
    "answer": UnreadableAnswer,
}


#: Rules of `refusals.toml`: HTTP statuses, words, and the error that they mean.
_RULES: list[tuple[list[int], re.Pattern[str], _MakeError]] = [
    (rule["status"], re.compile(rule["words"], re.IGNORECASE | re.MULTILINE), _MEANINGS[rule["means"]])
    for rule in tomllib.loads(Path(__file__).with_name("refusals.toml").read_text(encoding="utf-8"))["refusal"]
]


def error_for(provider: str, status: int, retry_after: str | None, body: object, now: datetime) -> ProviderError:
    """Classifies an HTTP answer other than 200 as one of our errors.

    Args:
        retry_after: that header.
        body: the decoded JSON, None where it is none.
        now: against which a date in the header is read.

    Returns:
        An error that holds the status and the provider's own code, and its sentence, not yet redacted, in `sentence`.
    """
    if isinstance(body, list) and len(body) == 1:  # Gemini's OpenAI-compatible endpoint
        body = body[0]
    error = at(body, "error") if isinstance(at(body, "error"), dict) else body
    named = (word for key in ("code", "status", "type") if (word := code(at(error, key))))
    detail = f"HTTP {status} {next(named, '')}".rstrip()
    sentences = (at(error, "message"), at(error, "detail"), at(body, "error"))
    sentence = next((text for text in sentences if isinstance(text, str)), "")[:_LONGEST_WORDS]
    if meaning := _meaning(status, _words(error, sentence)):
        return meaning(provider, detail, sentence=sentence)
    wait_s = _header_wait_s(retry_after, now) if retry_after else None
    wait_s = _body_wait_s(error) if wait_s is None else wait_s
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return ProviderRateLimited(provider, detail, retry_after_s=wait_s, sentence=sentence)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ProviderUnavailable(provider, detail, retry_after_s=wait_s, sentence=sentence)
    return _by_status(status, is_json=body is not None)(provider, detail, sentence=sentence)


def _words(error: object, sentence: str) -> str:
    """Words that the rules look at, a line each."""
    fields = [at(error, key) for key in ("code", "status", "type", "param")] + _details(error, "reason")
    return "\n".join([*(word for word in fields if isinstance(word, str)), sentence])[:_LONGEST_WORDS]


def _meaning(status: int, words: str) -> _MakeError | None:
    return next((made for where, said, made in _RULES if status in (where or [status]) and said.search(words)), None)


def _by_status(status: int, *, is_json: bool) -> _MakeError:
    if status in (401, 402) or (status == HTTPStatus.FORBIDDEN and is_json):
        return ProviderDenied
    if status in (404, 410):
        # A page that is no JSON comes from another program than the API.
        return ModelGone if is_json else UnreadableAnswer
    if status in (400, 422):
        return partial(RequestRefused, unclear=True)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return RequestRefused
    return ProviderTimeout if status == HTTPStatus.REQUEST_TIMEOUT else UnreadableAnswer


def _details(error: object, key: str) -> list[object]:
    """One field of each of Google's error details."""
    return [at(detail, key) for detail in items(at(error, "details"))]


def _header_wait_s(value: str, now: datetime) -> float | None:
    """Retry-After: seconds or an HTTP date (RFC 9110, 10.2.3); None where it is neither, or beyond the calendar."""
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value.strip()):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
        return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())
    except (ValueError, OverflowError):
        return None


def _body_wait_s(error: object) -> float | None:
    """The wait in Google's RetryInfo ("33s") or in the sentence of the message ("try again in 1m2s")."""
    delays = [delay for delay in _details(error, "retryDelay") if isinstance(delay, str)]
    sentence = _WAIT.search(str(at(error, "message"))[:_LONGEST_WORDS])
    duration = delays[0] if delays else sentence[1] if sentence else ""
    parts = _DURATION_PART.findall(duration)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts else None

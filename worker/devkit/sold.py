"""The catalogue of what each simulated API sells and takes, read from `sold_models.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from worker.devkit.http_exchange import Json, error


class Sentence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One refusal: status and body, with {places} to be filled in."""

    status: int
    message: str
    type: str | None = None
    param: str | None = None
    code: str | None = None


class CacheRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How prompts are cached: at marked breakpoints, by their common prefix, or not. Sizes in tokens."""

    kind: Literal["breakpoints", "common_prefix", "none"] = "none"
    least_tokens: int = 0
    unit_tokens: int = 1


class Family(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rules that models have in common.

    thoughts: tokens of thinking by effort, in the order they are offered. default: the effort where none is asked.
    refused: field -> the sentence it is refused with. fixed: fields that take only this value while the model thinks.
    ignored: fields that are taken without effect. unknown: fields that other families of the API know.
    formats: types of response_format. budget: how a budget of thinking is taken.
    """

    source: str
    thoughts: dict[str, int] = {}
    default: str = ""
    refused: dict[str, str] = {}
    fixed: dict[str, Any] = {}
    ignored: list[str] = []
    unknown: list[str] = []
    formats: list[str] = []
    budget: Literal["taken", "zero_refused", "unheeded", "refused"] = "taken"
    cache: CacheRules = CacheRules()


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model that the API answers for. answered_by: another one that does it in its name; closed: to new keys."""

    family: str
    source: str
    since: date | None = None
    ends: date | None = None
    answered_by: str = ""
    listed: bool = True
    closed: bool = False


class Withdrawn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model that is gone, and the sentence that says so."""

    source: str
    on: date | None = None
    error: str = "unknown"


class Api(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One API. limits: fields that bound the output; unfit: pairs of a field and the sentence that a newer rule
    refuses it with, the first that was sent counts ("" always does).
    """

    standard: str
    limits: list[str]
    unknown_fields: Literal["refused", "ignored"]
    families: dict[str, Family]
    models: dict[str, Model]
    withdrawn: dict[str, Withdrawn]
    errors: dict[str, Sentence]
    unfit: list[tuple[str, str]]
    fields: dict[str, list[str]] = {}
    efforts: list[str] = []
    effort_field: str = ""
    effort_aliases: dict[str, str] = {}
    thinking_switch: str = ""
    content_parts: Literal["taken", "refused"] = "taken"


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. checked: the day its facts were looked up."""

    checked: date
    openai: Api
    deepseek: Api
    gemini: Api
    sources: dict[str, str]


class Refused(Exception):
    """A request that the API does not answer: status and error body."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


def _read() -> Catalogue:
    text = Path(__file__).with_name("sold_models.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Catalogue)


CATALOGUE: Final = _read()
APIS: Final[Mapping[str, Api]] = {
    "openai": CATALOGUE.openai,
    "deepseek": CATALOGUE.deepseek,
    "gemini": CATALOGUE.gemini,
}


def refusal(provider: str, name: str, /, *details: Json, **places: object) -> Refused:
    """The refusal that the provider's catalogue has under this name, its places filled in."""
    sentence = APIS[provider].errors[name]
    message = sentence.message.format(**places)
    if provider == "gemini":
        return Refused(sentence.status, error(provider, sentence.status, message, *details))
    param = sentence.param.format(**places) if sentence.param else None
    body = {"message": message, "type": sentence.type, "param": param, "code": sentence.code}
    return Refused(sentence.status, {"error": body})


def sold(provider: str, states: Mapping[str, str]) -> list[str]:
    """Models that a key of today may use: those of the catalogue and those sold by order, without what is gone."""
    ordered = [name for name, state in states.items() if state not in ("gone", "closed")]
    listed = [name for name, model in APIS[provider].models.items() if not model.closed and name not in states]
    return [*listed, *ordered]

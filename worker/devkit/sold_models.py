"""Catalogue of what each simulated API sells, takes and refuses (`sold_models.toml`), and its lists of models."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from worker.devkit.json_schema import Json

#: Creation time of answers and of models without a known day, Unix seconds.
CREATED_S: Final = 1_763_800_000
#: Models of a page of Gemini's list: by default, and at most.
PAGE: Final = 50
PAGE_MAX: Final = 1000


class ErrorTemplate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Refusal: status and body, with {places} to be filled in."""

    status: int
    message: str
    type: str | None = None
    param: str | None = None
    code: str | None = None
    details: list[Json] = []


class CacheRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Prompt cache: at marked breakpoints, by common prefix, or none. Sizes in tokens."""

    kind: Literal["breakpoints", "common_prefix", "none"] = "none"
    least_tokens: int = 0
    unit_tokens: int = 1


class ModelFamily(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rules that models have in common.

    Args:
        thoughts: tokens of thinking by effort, in the order they are offered.
        default: the effort where none is asked.
        refused: field -> the sentence it is refused with.
        fixed: fields that take only this value while the model thinks.
        ignored: fields that are taken without effect.
        unknown: fields that other families of the API know.
        formats: types of response_format.
        budget: how a budget of thinking is taken.
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
    """Model that the API answers for. answered_by: another one that does it in its name; closed: to new keys."""

    family: str
    source: str
    since: date | None = None
    ends: date | None = None
    answered_by: str = ""
    listed: bool = True
    closed: bool = False


class WithdrawnModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Model that is gone, and the sentence that says so."""

    source: str
    on: date | None = None
    error: str = "unknown"


class Api(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rules, models and sentences of one API.

    Args:
        entry: of its list of models, what all have in common.
        limits: fields that bound the output.
        statuses: type and code of errors, Gemini's status, where a sentence names no other.
        unfit: fields and the sentences that a newer rule refuses them with; the first that was sent counts, "" always.
    """

    base_path: str
    completion: str
    entry: Json
    standard: str
    limits: list[str]
    unknown_fields: Literal["refused", "ignored"]
    families: dict[str, ModelFamily]
    models: dict[str, Model]
    withdrawn: dict[str, WithdrawnModel]
    statuses: dict[int, tuple[str, str]]
    errors: dict[str, ErrorTemplate]
    unfit: list[tuple[str, str]]
    fields: dict[str, list[str]] = {}
    efforts: list[str] = []
    effort_field: str = ""
    effort_aliases: dict[str, str] = {}
    thinking_switch: str = ""
    content_parts: Literal["taken", "refused"] = "taken"


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Content of the file. checked: the day its facts were looked up."""

    checked: date
    openai: Api
    deepseek: Api
    gemini: Api
    sources: dict[str, str]


class Refused(Exception):
    """Request that the API does not answer: status, error body and headers."""

    def __init__(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers or {}


CATALOGUE: Final = msgspec.toml.decode(Path(__file__).with_suffix(".toml").read_bytes(), type=Catalogue)
APIS: Final[Mapping[str, Api]] = {name: getattr(CATALOGUE, name) for name in ("openai", "gemini", "deepseek")}


def refusal(provider: str, name: str, /, **places: object) -> Refused:
    """Makes the refusal that the provider's catalogue has under this name, its places filled in."""
    said = APIS[provider].errors[name]
    param = said.param.format(**places) if said.param else None
    body = error_body(provider, said.status, said.message.format(**places), *said.details)
    if provider != "gemini":
        own = {"type": said.type, "param": param, "code": said.code}
        body["error"] |= {field: value for field, value in own.items() if value}
    return Refused(said.status, body)


def error_body(provider: str, status: int, message: str, *details: Json) -> Json:
    """Makes an error body in the provider's own shape."""
    known = APIS[provider].statuses if provider in APIS else {}
    if provider == "gemini":
        named = {"code": status, "message": message, "status": known.get(status, ("INTERNAL", ""))[0]}
        return {"error": {**named, "details": list(details)} if details else named}
    kind, code = known.get(status, ("server_error", ""))
    return {"error": {"message": message, "type": kind, "param": None, "code": code or None}}


def failure(provider: str, status: int, retry_after_s: float | None) -> Refused:
    """Makes an ordered failure; Gemini names the wait in the body, the others in a header."""
    message, wait = f"Simulated failure {status}.", f"{retry_after_s or 0:g}"
    if retry_after_s is None:
        return Refused(status, error_body(provider, status, message))
    if provider == "gemini":
        detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{wait}s"}
        return Refused(status, error_body(provider, status, f"{message} Please retry in {wait}s.", detail))
    body = error_body(provider, status, f"{message} Please try again in {wait}s.")
    return Refused(status, body, {"Retry-After": wait})


def sold(provider: str, states: Mapping[str, str]) -> list[str]:
    """Lists models that a key of today may use: of the catalogue and by order, without what is gone."""
    ordered = [name for name, state in states.items() if state not in ("gone", "closed")]
    known = [name for name, model in APIS[provider].models.items() if not model.closed and name not in states]
    return [*known, *ordered]


def listed(provider: str, states: Mapping[str, str]) -> list[str]:
    """Lists models as GET models does: without aliases; Gemini's is no view of what the key may use."""
    models = APIS[provider].models
    names = [name for name in sold(provider, states) if name not in models or models[name].listed]
    if provider == "gemini":
        names += [name for name, model in models.items() if model.closed and name not in states]
        names += [name for name, state in states.items() if state == "closed"]
    return names


def model_list(provider: str, states: Mapping[str, str], query: Mapping[str, str]) -> Json:
    """Answers GET models; Gemini's answer has pages. Raises Refused."""
    entries = [_entry(provider, name) for name in listed(provider, states)]
    if provider != "gemini":
        return {"object": "list", "data": entries}
    size, start = query.get("pageSize") or str(PAGE), query.get("pageToken") or "0"
    if not size.isdecimal() or not start.isdecimal():
        raise refusal("gemini", "argument")
    begin, end = int(start), int(start) + (min(int(size), PAGE_MAX) or PAGE)
    return {"models": entries[begin:end]} | ({"nextPageToken": str(end)} if end < len(entries) else {})


def one_model(provider: str, name: str, states: Mapping[str, str]) -> Json:
    """Answers GET models/NAME. Raises Refused where it is not listed."""
    if provider == "deepseek" or name not in listed(provider, states):
        raise refusal(provider, "unknown", model=name, sold=", ".join(listed(provider, states)))
    return _entry(provider, name)


def _entry(provider: str, name: str) -> Json:
    api = APIS[provider]
    model = api.models.get(name) or Model(api.standard, "")
    if provider == "gemini":
        thinks = any(api.families[model.family].thoughts.values())
        return {"name": f"models/{name}", "displayName": name, **api.entry, "thinking": thinks}
    entry = {"id": name, **api.entry}
    if provider == "openai":
        since = datetime.combine(model.since, time(), UTC).timestamp() if model.since else CREATED_S
        entry |= {"created": int(since), "shutdown_date": model.ends.isoformat() if model.ends else None}
    return entry

"""GET models: what each API lists of what it sells, all at once or page by page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from worker.devkit.completions import CREATED_S
from worker.devkit.http_exchange import Json, error
from worker.devkit.sold import APIS, Model, Refused, refusal, sold

PAGE: Final = 50
PAGE_MAX: Final = 1000


def model_list(provider: str, states: Mapping[str, str], query: Mapping[str, str]) -> Json:
    """The answer to GET models. Gemini's has pages, and names models that the key cannot use. Raises Refused."""
    if provider == "gemini":
        return _page([_gemini(name) for name in _listed(provider, states)], query)
    entries = [_chat(provider, name) for name in _listed(provider, states)]
    return {"object": "list", "data": entries}


def one_model(provider: str, name: str, states: Mapping[str, str]) -> Json:
    """The answer to GET models/NAME. Raises Refused where it is not listed."""
    if provider == "deepseek" or name not in _listed(provider, states):
        raise refusal(provider, "unknown", model=name, sold=", ".join(_listed(provider, states)))
    return _gemini(name) if provider == "gemini" else _chat(provider, name)


def _listed(provider: str, states: Mapping[str, str]) -> list[str]:
    models = APIS[provider].models
    names = [name for name in sold(provider, states) if name not in models or models[name].listed]
    if provider == "gemini":  # its list is no view of what the key may use
        closed = [name for name in models if models[name].closed and name not in states]
        names += closed + [name for name, state in states.items() if state == "closed"]
    return names


def _chat(provider: str, name: str) -> Json:
    entry = {"id": name, "object": "model"}
    if provider == "deepseek":
        return {**entry, "owned_by": "deepseek"}
    model = APIS[provider].models.get(name)
    ends = model.ends.isoformat() if model and model.ends else None
    return {**entry, "created": _created_s(model), "owned_by": "system", "shutdown_date": ends}


def _created_s(model: Model | None) -> int:
    if model is None or model.since is None:
        return CREATED_S
    return int(datetime(model.since.year, model.since.month, model.since.day, tzinfo=UTC).timestamp())


def _gemini(name: str) -> Json:
    model = APIS["gemini"].models.get(name)
    family = APIS["gemini"].families[model.family if model else APIS["gemini"].standard]
    return {
        "name": f"models/{name}",
        "displayName": name,
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "thinking": any(family.thoughts.values()),
    }


def _page(entries: list[Json], query: Mapping[str, str]) -> Json:
    size, start = query.get("pageSize") or str(PAGE), query.get("pageToken") or "0"
    if not size.isdecimal() or not start.isdecimal():
        raise Refused(400, error("gemini", 400, "Request contains an invalid argument."))
    begin, end = int(start), int(start) + (min(int(size), PAGE_MAX) or PAGE)
    page: Json = {"models": entries[begin:end]}
    return page | ({"nextPageToken": str(end)} if end < len(entries) else {})

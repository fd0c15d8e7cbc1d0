"""Which model serves a request, by which rules, or how the request is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from worker.devkit.chat_rules import chat
from worker.devkit.gemini_rules import generate_content
from worker.devkit.http_exchange import Json, Prompt
from worker.devkit.served import Served, enumerated, shown
from worker.devkit.sold import APIS, Family, Refused, refusal, sold
from worker.devkit.unknown_fields import check_fields

#: Tokens of thinking of a model that is made to think, where nothing limits its output.
EATEN: Final = 1500


def serve(prompt: Prompt, states: Mapping[str, str]) -> Served:
    """The request as its provider takes it today. Raises Refused. states: of models, by order of the control."""
    api, state = APIS[prompt.provider], states.get(prompt.model, "")
    model, family = _serving(prompt, states)
    if api.unknown_fields == "refused":
        check_fields(prompt, family)
    if state == "unfit":
        raise _unfit(prompt, family)
    served = (generate_content if prompt.provider == "gemini" else chat)(prompt, api, family, model)
    if state != "thinks":
        return served
    limit = EATEN if served.limit is None else served.limit
    return replace(served, thoughts=limit, limit=limit)


def _serving(prompt: Prompt, states: Mapping[str, str]) -> tuple[str, Family]:
    """Who answers and by which rules: another model brings its own. Raises Refused for a model that is not sold."""
    api, asked = APIS[prompt.provider], prompt.model
    state, known = states.get(asked, ""), api.models.get(asked)
    if state in ("gone", "closed") or (known is None and not state) or (known and known.closed and not state):
        raise _not_sold(prompt, states)
    answering = state.removeprefix("as:") if state.startswith("as:") else known.answered_by if known else ""
    rules = api.models.get(answering) or known
    return answering or asked, api.families[rules.family if rules else api.standard]


def _not_sold(prompt: Prompt, states: Mapping[str, str]) -> Refused:
    api, model = APIS[prompt.provider], prompt.model
    closed = states.get(model) == "closed" or (model in api.models and model not in states)
    former = api.withdrawn[model].error if model in api.withdrawn else "retired" if model in api.models else "unknown"
    gone = "closed" if closed else former
    listed = [name for name in sold(prompt.provider, states) if name not in api.models or api.models[name].listed]
    return refusal(prompt.provider, gone if gone in api.errors else "unknown", model=model, sold=", ".join(listed))


def _unfit(prompt: Prompt, family: Family) -> Refused:
    """The refusal of a model that a newer rule of parameters holds for: the first field of the rule that was sent."""
    sent = dict(_sent(prompt.asked))
    field, name = next(pair for pair in APIS[prompt.provider].unfit if not pair[0] or pair[0] in sent)
    value = shown(sent.get(field))
    offered = enumerated(each for each in family.thoughts if each != value)
    places = {"field": field or "messages", "value": value, "level": value.upper(), "offered": offered}
    return refusal(prompt.provider, name, model=prompt.model, **places)


def _sent(message: Json) -> Iterator[tuple[str, Any]]:
    """Fields of a request, those of messages in it too; a list is no message."""
    for name, value in message.items():
        yield name, value
        if isinstance(value, dict):
            yield from _sent(value)

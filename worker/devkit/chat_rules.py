"""What chat completions (OpenAI, DeepSeek) take, ignore and refuse; the rules themselves are data."""

from __future__ import annotations

import re
from typing import Any, Final

from worker.devkit.http_exchange import Json, Prompt
from worker.devkit.served import Served, enumerated, limit, shown
from worker.devkit.sold import Api, Family, refusal
from worker.devkit.strict_schema import objection

_SCHEMA_NAME: Final = re.compile(r"[a-zA-Z0-9_-]+")


def chat(prompt: Prompt, api: Api, family: Family, model: str) -> Served:
    """The request as a model of this family takes it. Raises Refused."""
    asked, provider = prompt.asked, prompt.provider
    _check_parts(prompt, api)
    for field, name in family.refused.items():
        if asked.get(field) is not None:
            raise refusal(provider, name, field=field)
    thoughts = family.thoughts.get(_effort(prompt, api, family), 0)
    for field, only in family.fixed.items() if thoughts else ():
        if asked.get(field) is not None and asked[field] != only:
            raise refusal(provider, "value", field=field, value=shown(asked[field]), only=shown(only))
    return Served(model, family.cache, thoughts, limit(prompt, asked), _schema(prompt, family), bool(thoughts))


def _check_parts(prompt: Prompt, api: Api) -> None:
    if api.content_parts == "refused":
        listed = (n for n, message in enumerate(prompt.asked["messages"]) if isinstance(message["content"], list))
        if (index := next(listed, None)) is not None:
            raise refusal(prompt.provider, "parts", index=index)


def _effort(prompt: Prompt, api: Api, family: Family) -> str:
    """How much the model thinks. Raises Refused for an effort it does not offer, where the API minds."""
    switch = prompt.asked.get(api.thinking_switch)
    if isinstance(switch, dict) and switch.get("type") == "disabled":
        return "disabled"
    asked = prompt.asked.get(api.effort_field)
    effort = api.effort_aliases.get(asked, asked) if isinstance(asked, str) else ""
    if effort in family.thoughts:
        return effort
    if asked is not None and family.thoughts and "effort" in api.errors:
        offered, known = enumerated(family.thoughts), enumerated(api.efforts)
        name = "effort" if effort in api.efforts else "effort_unknown"
        model = prompt.model
        raise refusal(prompt.provider, name, value=shown(asked), model=model, offered=offered, known=known)
    return family.default


def _schema(prompt: Prompt, family: Family) -> Json | None:
    """What the answer must conform to. Raises Refused where the API does not take what was asked."""
    wanted = prompt.asked.get("response_format") or {}
    kind = wanted.get("type", "text")
    if kind not in family.formats:
        raise refusal(prompt.provider, "format", value=shown(kind), offered=enumerated(family.formats))
    if kind == "json_object" and not any("json" in each.text.lower() for each in prompt.texts):
        raise refusal(prompt.provider, "json_word")
    return _strict(prompt.provider, wanted.get("json_schema")) if kind == "json_schema" else None


def _strict(provider: str, wanted: Any) -> Json | None:
    """The schema in response_format.json_schema. Raises Refused for a strict one that is not of the strict subset."""
    path = "response_format.json_schema"
    if not isinstance(wanted, dict):
        raise refusal(provider, "schema_missing", path=path)
    name, schema = wanted.get("name"), wanted.get("schema")
    if name is None:
        raise refusal(provider, "schema_missing", path=f"{path}.name")
    if not _SCHEMA_NAME.fullmatch(str(name)):
        raise refusal(provider, "schema_name", path=f"{path}.name")
    if wanted.get("strict") is True and (reason := objection(schema)):
        raise refusal(provider, "schema", name=name, reason=reason)
    return schema if isinstance(schema, dict) else None

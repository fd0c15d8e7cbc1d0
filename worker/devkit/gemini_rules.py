"""What generateContent takes, ignores and refuses; the rules themselves are data."""

from __future__ import annotations

from worker.devkit.http_exchange import Json, Prompt
from worker.devkit.served import Served, limit
from worker.devkit.sold import Api, Family, refusal


def generate_content(prompt: Prompt, api: Api, family: Family, model: str) -> Served:
    """The request as a model of this family takes it. Raises Refused."""
    config = prompt.asked.get("generation_config") or {}
    for field, name in family.refused.items():
        if config.get(field) is not None:
            raise refusal("gemini", name, field=field)
    thinking = config.get("thinking_config") or {}
    thoughts = _thoughts(api, family, thinking)
    shows = bool(thoughts and thinking.get("include_thoughts"))
    is_json = config.get("response_mime_type") == "application/json"
    schema = (config.get("response_json_schema") or config.get("response_schema")) if is_json else None
    return Served(model, family.cache, thoughts, limit(prompt, config), schema, shows)


def _thoughts(api: Api, family: Family, thinking: Json) -> int:
    """Tokens the model thinks. Raises Refused for a level or a budget that it does not take."""
    level, budget = thinking.get("thinking_level"), thinking.get("thinking_budget")
    if level is not None and budget is not None:
        raise refusal("gemini", "level_and_budget")
    if level is not None:
        return _at_level(api, family, str(level))
    usual = family.thoughts[family.default]
    if budget is None or family.budget == "unheeded":
        return usual
    taken = isinstance(budget, int) and family.budget != "refused"
    if not taken or (family.budget == "zero_refused" and budget == 0):
        raise refusal("gemini", "argument")
    return usual if budget < 0 else min(budget, max(family.thoughts.values()))


def _at_level(api: Api, family: Family, level: str) -> int:
    if level.lower() not in api.efforts:
        raise refusal("gemini", "level_unknown", value=level)
    if level.lower() not in family.thoughts:
        raise refusal("gemini", "level", level=level.upper())
    return family.thoughts[level.lower()]

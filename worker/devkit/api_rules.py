"""Rules of the simulated APIs: the model that answers a request and how it takes it, or the refusal."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from worker.devkit.json_schema import Json, objection
from worker.devkit.prompt import OPAQUE, Prompt
from worker.devkit.sold_models import APIS, Api, CacheRules, ModelFamily, Refused, error_body, listed, refusal

#: Tokens of thinking of a model that is made to think, where nothing limits its output.
EATEN: Final = 1500
_SCHEMA_NAME: Final = re.compile(r"[a-zA-Z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Generation:
    """Way in which a request will be answered. thoughts: tokens of thinking; limit: of tokens in all, None for none."""

    model: str
    cache: CacheRules
    thoughts: int
    limit: int | None
    schema: Json | None
    shows_thoughts: bool


def generation_for(prompt: Prompt, states: Mapping[str, str]) -> Generation:
    """Takes the request as its provider does today. states: of models, by order of the control. Raises Refused."""
    api, state = APIS[prompt.provider], states.get(prompt.model, "")
    model, family = _answering(prompt, states)
    if api.unknown_fields == "refused":
        _check_fields(prompt, api, family)
    if state == "unfit":
        raise _unfit(prompt, api, family)
    generation = _generation(prompt, api, family, model)
    if state != "thinks":
        return generation
    limit = EATEN if generation.limit is None else generation.limit
    return replace(generation, thoughts=limit, limit=limit)


def _answering(prompt: Prompt, states: Mapping[str, str]) -> tuple[str, ModelFamily]:
    """Returns the model that answers, and its rules; another one than asked brings its own."""
    api, asked = APIS[prompt.provider], prompt.model
    state, known = states.get(asked, ""), api.models.get(asked)
    if state in ("gone", "closed") or (not state and (known is None or known.closed)):
        closed = state == "closed" or (known is not None and not state)
        former = api.withdrawn[asked].error if asked in api.withdrawn else "retired" if known else "unknown"
        name = "closed" if closed else former
        sold_now = ", ".join(listed(prompt.provider, states))
        raise refusal(prompt.provider, name if name in api.errors else "unknown", model=asked, sold=sold_now)
    answering = state.removeprefix("as:") if state.startswith("as:") else known.answered_by if known else ""
    rules = api.models.get(answering) or known
    return answering or asked, api.families[rules.family if rules else api.standard]


def _check_fields(prompt: Prompt, api: Api, family: ModelFamily) -> None:
    """Refuses fields that the API, or this family of models, does not know; Gemini names all of them at once."""
    known = api.fields | {"request": [name for name in api.fields["request"] if name not in family.unknown]}
    strange = list(_strange(prompt.asked, "request", "", known))
    if not strange:
        return
    path, field = strange[0]
    if prompt.provider != "gemini":
        raise refusal(prompt.provider, "nested_field" if path else "field", field=field, path=f"{path}.{field}")
    template = api.errors["field"]
    texts = [template.message.format(field=name, at=f" at '{path}'" if path else "") for path, name in strange]
    named = zip(strange, texts, strict=True)
    violations = [({"field": path} if path else {}) | {"description": text} for (path, _), text in named]
    detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}
    raise Refused(template.status, error_body("gemini", template.status, "\n".join(texts), detail))


def _strange(message: Any, kind: str, path: str, known: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Yields path and name of each unknown field, depth first; messages whose fields are not listed may hold any."""
    if isinstance(message, list):
        for index, each in enumerate(message):
            yield from _strange(each, kind, f"{path}[{index}]", known)
    elif isinstance(message, dict):
        for name, value in message.items():
            if name not in known[kind]:
                yield path, name
            elif name in known and name not in OPAQUE:
                yield from _strange(value, name, f"{path}.{name}" if path else name, known)


def _unfit(prompt: Prompt, api: Api, family: ModelFamily) -> Refused:
    """Makes the refusal by a newer rule of parameters: of the first of its fields that was sent."""
    sent = prompt.asked | prompt.settings | (prompt.settings.get("thinking_config") or {})
    field, name = next(pair for pair in api.unfit if not pair[0] or pair[0] in sent)
    value = _shown(sent.get(field))
    offered = _enumerated(each for each in family.thoughts if each != value)
    places = {"field": field or "messages", "value": value, "level": value.upper(), "offered": offered}
    return refusal(prompt.provider, name, model=prompt.model, **places)


def _generation(prompt: Prompt, api: Api, family: ModelFamily, model: str) -> Generation:
    settings, provider = prompt.settings, prompt.provider
    if api.content_parts == "refused":
        for index, message in enumerate(prompt.asked["messages"]):
            if isinstance(message["content"], list):
                raise refusal(provider, "parts", index=index)
    for field, name in family.refused.items():
        if settings.get(field) is not None:
            raise refusal(provider, name, field=field)
    thoughts = _gemini_thoughts(settings, api, family) if provider == "gemini" else _thoughts(prompt, api, family)
    for field, only in family.fixed.items() if thoughts else ():
        if settings.get(field) is not None and settings[field] != only:
            raise refusal(provider, "value", field=field, value=_shown(settings[field]), only=_shown(only))
    limit = _limit(prompt, api)
    if provider != "gemini":
        return Generation(model, family.cache, thoughts, limit, _schema(prompt, family), bool(thoughts))
    is_json = settings.get("response_mime_type") == "application/json"
    schema = (settings.get("response_json_schema") or settings.get("response_schema")) if is_json else None
    shows = thoughts and (settings.get("thinking_config") or {}).get("include_thoughts")
    return Generation(model, family.cache, thoughts, limit, schema, bool(shows))


def _thoughts(prompt: Prompt, api: Api, family: ModelFamily) -> int:
    """Returns the tokens that the model thinks at the effort asked; another is refused or ignored."""
    switch, asked = prompt.asked.get(api.thinking_switch), prompt.asked.get(api.effort_field)
    if isinstance(switch, dict) and switch.get("type") == "disabled":
        return family.thoughts.get("disabled", 0)
    effort = api.effort_aliases.get(asked, asked) if isinstance(asked, str) else ""
    if effort not in family.thoughts and asked is not None and family.thoughts and "effort" in api.errors:
        offered, known = _enumerated(family.thoughts), _enumerated(api.efforts)
        name = "effort" if effort in api.efforts else "effort_unknown"
        raise refusal(prompt.provider, name, value=_shown(asked), model=prompt.model, offered=offered, known=known)
    return family.thoughts.get(effort, family.thoughts.get(family.default, 0))


def _gemini_thoughts(config: Json, api: Api, family: ModelFamily) -> int:
    """Returns the tokens that the model thinks at the level or budget asked."""
    thinking = config.get("thinking_config") or {}
    level, budget = thinking.get("thinking_level"), thinking.get("thinking_budget")
    usual = family.thoughts[family.default]
    if level is not None and budget is not None:
        raise refusal("gemini", "level_and_budget")
    if level is not None:
        if str(level).lower() not in api.efforts:
            raise refusal("gemini", "level_unknown", value=level)
        if str(level).lower() not in family.thoughts:
            raise refusal("gemini", "level", level=str(level).upper())
        return family.thoughts[str(level).lower()]
    if budget is None or family.budget == "unheeded":
        return usual
    if not isinstance(budget, int) or family.budget == "refused" or (family.budget == "zero_refused" and budget == 0):
        raise refusal("gemini", "argument")
    return usual if budget < 0 else min(budget, max(family.thoughts.values()))


def _limit(prompt: Prompt, api: Api) -> int | None:
    """Returns the most tokens an answer may have; refuses what is not a whole number above zero."""
    field = next((field for field in api.limits if prompt.settings.get(field) is not None), None)
    if field is None:
        return None
    value = prompt.settings[field]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise refusal(prompt.provider, "limit", field=field, value=_shown(value))
    return value


def _schema(prompt: Prompt, family: ModelFamily) -> Json | None:
    """Returns what the answer must conform to; refuses a format that the API does not take."""
    provider, wanted = prompt.provider, prompt.asked.get("response_format") or {}
    kind, path = wanted.get("type", "text"), "response_format.json_schema"
    if kind not in family.formats:
        raise refusal(provider, "format", value=_shown(kind), offered=_enumerated(family.formats))
    if kind == "json_object" and not any("json" in each.text.lower() for each in prompt.texts):
        raise refusal(provider, "json_word")
    if kind != "json_schema":
        return None
    if not isinstance(asked := wanted.get("json_schema"), dict):
        raise refusal(provider, "schema_missing", path=path)
    if (name := asked.get("name")) is None:
        raise refusal(provider, "schema_missing", path=f"{path}.name")
    if not _SCHEMA_NAME.fullmatch(str(name)):
        raise refusal(provider, "schema_name", path=f"{path}.name")
    schema = asked.get("schema")
    if asked.get("strict") is True and (reason := objection(schema)):
        raise refusal(provider, "schema", name=name, reason=reason)
    return schema if isinstance(schema, dict) else None


def _enumerated(names: Iterable[str]) -> str:
    """Lists names in quotes as OpenAI writes them: 'a', 'b', and 'c'."""
    quoted = [f"'{name}'" for name in names]
    return ", ".join([*quoted[:-1], f"and {quoted[-1]}"]) if len(quoted) > 1 else "".join(quoted)


def _shown(value: Any) -> str:
    """Writes a value as error sentences do: texts bare, the rest as JSON."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()

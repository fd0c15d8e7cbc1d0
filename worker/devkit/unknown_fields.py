"""Fields of a request that its API does not know, and how the API says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from worker.devkit.http_exchange import OPAQUE, Prompt
from worker.devkit.sold import APIS, Family, Refused, refusal


def check_fields(prompt: Prompt, family: Family) -> None:
    """Raises Refused for fields that the API, or this family of models, does not know."""
    fields = APIS[prompt.provider].fields
    known = fields | {"request": [name for name in fields["request"] if name not in family.unknown]}
    strange = list(_strange(prompt.asked, "request", "", known))
    if not strange:
        return
    if prompt.provider == "gemini":
        raise _unknown_names(strange)
    path, field = strange[0]
    name = "nested_field" if path else "field"
    raise refusal(prompt.provider, name, field=field, path=f"{path}.{field}")


def _strange(message: Any, kind: str, path: str, known: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Path and name of each unknown field, depth first; messages whose fields are not listed may hold any."""
    if isinstance(message, list):
        for index, each in enumerate(message):
            yield from _strange(each, kind, f"{path}[{index}]", known)
    elif isinstance(message, dict):
        for name, value in message.items():
            if name not in known[kind]:
                yield path, name
            elif name in known and name not in OPAQUE:
                yield from _strange(value, name, f"{path}.{name}" if path else name, known)


def _unknown_names(strange: list[tuple[str, str]]) -> Refused:
    """Gemini names all of them at once, and each again among the details."""
    each = [refusal("gemini", "field", field=name, at=f" at '{path}'" if path else "") for path, name in strange]
    said = [refused.body["error"]["message"] for refused in each]
    violations = [
        ({"field": path} if path else {}) | {"description": text} for (path, _), text in zip(strange, said, strict=True)
    ]
    detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}
    body = each[0].body["error"] | {"message": "\n".join(said), "details": [detail]}
    return Refused(each[0].status, {"error": body})

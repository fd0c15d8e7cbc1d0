"""Examining the language models: keys, one question to each as the service asks it, and the providers' own lists."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, date, datetime

from worker.errors import ModelFault, ProviderDenied, ProviderError, ThoughtAway, UnreadableAnswer
from worker.operate.doctor.finding import Finding, State, failed, ok, warning
from worker.providers.client import AiClient
from worker.providers.models import Model, Provider
from worker.providers.probe import ENDS_SOON_DAYS, Looked, ask, question

#: How the line of a model begins that gives usable answers.
ANSWERS = "answers in "
#: The list of models is a help; nobody waits long for it.
LIST_S = 5.0
NO_KEY = "set {name}, or leave the provider out of PROVIDERS_FILE"
NONE_FIT = "at least one model must answer; see the lines above"
ANOTHER = "give the provider another model in PROVIDERS_FILE and restart worker-ai: docs/providers.md"


def examine(providers: Sequence[Provider], shop: str, *, probe: bool) -> list[Finding]:
    """A finding for each model, and one more where none can be asked.

    Args:
        shop: its name, which stands in every request.
        probe: ask them, side by side.
    """
    pairs = [(provider, model) for provider in providers if provider.usable for model in provider.models]
    without = [
        warning(f"provider {each.name}", "it has no key and is never asked", NO_KEY.format(name=each.key_name))
        for each in providers
        if not each.usable
    ]
    if not probe:
        return [*without, *(ok(f"model {p.name}/{m.id}", "it has a key (not asked)") for p, m in pairs), *_none(pairs)]
    found = dict(zip(pairs_by_name(pairs), _asked(pairs, shop), strict=True))
    well = {name for (name, _), finding in found.items() if _answers(finding)}
    lines = [_softened(finding) if name in well else finding for (name, _), finding in found.items()]
    return [*without, *lines, *_none(well)]


def pairs_by_name(pairs: Sequence[tuple[Provider, Model]]) -> list[tuple[str, str]]:
    """Providers and models by their names."""
    return [(provider.name, model.id) for provider, model in pairs]


def _none(usable: Collection[object]) -> list[Finding]:
    return [] if usable else [failed("providers", "none can be asked: every new reply is the fallback", NONE_FIT)]


def _answers(finding: Finding) -> bool:
    return finding.found.startswith(ANSWERS)


def _asked(pairs: Sequence[tuple[Provider, Model]], shop: str) -> list[Finding]:
    providers = list({provider.name: provider for provider, _ in pairs}.values())
    today = datetime.now(UTC).date()
    with closing(AiClient()) as client, ThreadPoolExecutor(max(len(pairs) + len(providers), 1)) as pool:
        listed = dict(zip((p.name for p in providers), pool.map(lambda p: _ends(client, p), providers), strict=True))
        asked = question(shop)

        def look(pair: tuple[Provider, Model]) -> Looked:
            return ask(client, *pair, asked, time.monotonic() + pair[0].timeout_s)

        looks = list(pool.map(look, pairs))
    return [
        judge_model(provider, known_end(model, listed[provider.name]), looked, today)
        for (provider, model), looked in zip(pairs, looks, strict=True)
    ]


def _ends(client: AiClient, provider: Provider) -> Mapping[str, str | None]:
    with suppress(ProviderError):
        return client.listed_models(provider, LIST_S)
    return {}


def known_end(model: Model, listed: Mapping[str, str | None]) -> Model:
    """The model with the day of its end as the provider's list has it, where that is a date."""
    with suppress(ValueError):
        return replace(model, ends=date.fromisoformat(str(listed.get(model.id))))
    return model


def judge_model(provider: Provider, model: Model, looked: Looked, today: date) -> Finding:
    """A line about one model. today: in UTC."""
    check = f"model {provider.name}/{model.id}"
    if looked.error is not None:
        return _trouble(check, looked)
    told = f"{ANSWERS}{looked.probe.latency_ms:.0f} ms"
    if looked.probe.answered_by:
        mend = "it is paid as what answers: name that model in PROVIDERS_FILE, or another one (docs/providers.md)"
        return warning(check, f"{told}, but as {looked.probe.answered_by}", mend)
    left = (model.ends - today).days if model.ends else None
    if left is not None and left <= ENDS_SOON_DAYS:
        return warning(check, f"{told}; it ends on {model.ends}", ANOTHER)
    return ok(check, told + (f"; it ends on {model.ends}" if model.ends else ""))


def _trouble(check: str, looked: Looked) -> Finding:
    found = f"{looked.probe.outcome}: {looked.probe.told}"
    if isinstance(looked.error, ProviderDenied):
        return failed(check, found, "check its key and the balance of the account, then restart worker-ai")
    if isinstance(looked.error, ModelFault):
        return failed(check, found, ANOTHER)
    if isinstance(looked.error, ThoughtAway):
        return failed(check, found, "see its request in PROVIDERS_FILE, and docs/providers.md")
    if isinstance(looked.error, UnreadableAnswer):
        return failed(check, found, "is its base_url right (..._BASE_URL)? Is the model large enough for the task?")
    return warning(check, found, "the others answer meanwhile; can this machine reach the internet?")


def _softened(finding: Finding) -> Finding:
    """A model that cannot be asked is a warning where another one of its provider answers: no customer notices yet."""
    return replace(finding, state=State.WARNING) if finding.state is State.FAILED else finding

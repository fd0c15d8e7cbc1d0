"""Doctor's check of the language models: keys, one question to each as the service asks it, the providers' lists."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, date, datetime

from worker.errors import ModelFault, ProviderDenied, ProviderError, ThoughtAway, UnreadableAnswer
from worker.operate.doctor.finding import Finding, State, failed, ok, warning
from worker.providers.client import AiClient
from worker.providers.models import Model, Provider
from worker.providers.probe import ProbeResult, ends_soon, probe_model, probe_request
from worker.shop.shop import Shop

#: Beginning of the line of a model that gives usable answers.
ANSWERS = "answers in "
#: The list of models is a help; nobody waits long for it.
LIST_S = 5.0
NO_KEY = "set {name}, or leave the provider out of PROVIDERS_FILE"
NONE_FIT = "at least one model must answer; see the lines above"
ANOTHER = "give the provider another model in PROVIDERS_FILE and restart worker-ai: docs/providers.md"
#: What helps against errors that do not pass by themselves.
MENDS: dict[type[Exception], str] = {
    ProviderDenied: "check its key and the balance of the account, then restart worker-ai",
    ModelFault: ANOTHER,
    ThoughtAway: "see its request in PROVIDERS_FILE, and docs/providers.md",
    UnreadableAnswer: "is its base_url right (..._BASE_URL)? Is the model large enough for the task?",
}


def examine(providers: Sequence[Provider], shop: Shop, *, probe: bool) -> list[Finding]:
    """Returns a finding for each model (asked side by side if `probe`), and one more where none can be asked."""
    pairs = [(provider, model) for provider in providers if provider.usable for model in provider.models]
    findings = [
        warning(f"provider {each.name}", "it has no key and is never asked", NO_KEY.format(name=each.key_name))
        for each in providers
        if not each.usable
    ]
    judged = _judged(pairs, shop) if probe else [ok(check_of(*pair), "it has a key (not asked)") for pair in pairs]
    found_at = list(zip(pairs, judged, strict=True))
    answering = {p.name for (p, _), finding in found_at if not probe or finding.found.startswith(ANSWERS)}
    for (provider, _), finding in found_at:
        # No customer notices a model that cannot be asked where another one of its provider answers.
        hidden = finding.state is State.FAILED and provider.name in answering
        findings.append(replace(finding, state=State.WARNING) if hidden else finding)
    if not answering:
        findings.append(failed("providers", "none can be asked: every new reply is the fallback", NONE_FIT))
    return findings


def check_of(provider: Provider, model: Model) -> str:
    """Returns the name of the check of a model."""
    return f"model {provider.name}/{model.id}"


def _judged(pairs: Sequence[tuple[Provider, Model]], shop: Shop) -> list[Finding]:
    """Asks all models and lists, side by side; returns a finding for each pair, in order."""
    providers = list({provider.name: provider for provider, _ in pairs}.values())
    today = datetime.now(UTC).date()
    with closing(AiClient()) as client, ThreadPoolExecutor(max(len(pairs) + len(providers), 1)) as pool:
        listed = dict(zip((p.name for p in providers), pool.map(lambda p: _ends(client, p), providers), strict=True))
        asked = probe_request(shop)
        looks = list(pool.map(lambda pair: probe_model(client, pair[0], pair[1], asked), pairs))
    return [
        judge_model(provider, _with_end(model, listed[provider.name]), looked, today)
        for (provider, model), looked in zip(pairs, looks, strict=True)
    ]


def _ends(client: AiClient, provider: Provider) -> Mapping[str, str | None]:
    with suppress(ProviderError):
        return client.listed_models(provider, LIST_S)
    return {}


def _with_end(model: Model, listed: Mapping[str, str | None]) -> Model:
    """Returns the model with the day of its end as the provider's list has it, where that is a date."""
    with suppress(ValueError):
        return replace(model, ends=date.fromisoformat(str(listed.get(model.id))))
    return model


def judge_model(provider: Provider, model: Model, looked: ProbeResult, today: date) -> Finding:
    """Judges a model by its answer and by the day of its end, on a day of UTC."""
    check = check_of(provider, model)
    if looked.error is not None:
        found = f"{looked.probe.outcome}: {looked.probe.told}"
        mend = next((mend for kind, mend in MENDS.items() if isinstance(looked.error, kind)), None)
        if mend is not None:
            return failed(check, found, mend)
        return warning(check, found, "the others answer meanwhile; can this machine reach the internet?")
    found = f"{ANSWERS}{looked.probe.latency_ms:.0f} ms"
    if looked.probe.answered_by:
        mend = "it is paid as what answers: name that model in PROVIDERS_FILE, or another one (docs/providers.md)"
        return warning(check, f"{found}, but as {looked.probe.answered_by}", mend)
    if model.ends:
        found += f"; it ends on {model.ends}"
    return warning(check, found, ANOTHER) if ends_soon(model, today) else ok(check, found)

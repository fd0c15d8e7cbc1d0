"""Whether the language models can be asked: keys, and a call of one token to each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from worker.doctor.finding import Finding, State, failed, ok, warning
from worker.errors import ProviderDenied, ProviderError, RequestRefused, UnreadableAnswer
from worker.providers.client import AiClient
from worker.providers.providers_file import Provider
from worker.providers.request import AiRequest

#: A model that takes longer for one token would miss the deadline of a real answer.
PROBE_S = 8.0
#: JSON mode wants the word in the request. Costs about a thousandth of a cent.
PROBE = AiRequest("Answer with an empty JSON object.", "{}", max_output_tokens=1)
NO_KEY = "set its variable: as shipped GEMINI_API_KEY, DEEPSEEK_API_KEY and OPENAI_API_KEY"


def examine(providers: Sequence[Provider], probe: bool) -> list[Finding]:
    """A finding for each provider, and one more where none can be asked. probe: ask them, side by side."""
    with closing(AiClient(providers)) as client, ThreadPoolExecutor(max(len(providers), 1)) as pool:
        findings = list(pool.map(lambda provider: judge_provider(provider, client if probe else None), providers))
    if all(finding.state is not State.OK for finding in findings):
        mend = "at least one provider must answer; see the lines above"
        findings.append(failed("providers", "none can be asked: every new reply is the fallback", mend))
    return findings


def judge_provider(provider: Provider, client: AiClient | None) -> Finding:
    """client: asks the provider; None: only look whether it has a key."""
    check = f"provider {provider.name}"
    if provider.api_key is None:
        return warning(check, "it has no key and is never asked", NO_KEY)
    if client is None:
        return ok(check, "it has a key (not asked)")
    started_s = time.monotonic()
    try:
        client.call(provider, PROBE, started_s + PROBE_S, attempts=1)
    except ProviderError as error:
        # One token is no usable answer; but one that was billed comes from the model.
        if error.usage is None:
            return _trouble(check, error)
    return ok(check, f"{provider.model} answers in {(time.monotonic() - started_s) * 1000:.0f} ms")


def _trouble(check: str, error: ProviderError) -> Finding:
    found = f"{error.kind}: {error.detail}"
    if isinstance(error, ProviderDenied):
        return failed(check, found, "check its key and the balance of the account, then restart worker-ai")
    if isinstance(error, RequestRefused):
        return failed(check, found, "are its model and base_url right (PROVIDERS_FILE, ..._BASE_URL)?")
    if isinstance(error, UnreadableAnswer):
        return warning(check, found, "is its base_url right (..._BASE_URL)? Another program answers there")
    return warning(check, found, "the other providers answer meanwhile; can this machine reach the internet?")

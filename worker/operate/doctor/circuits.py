"""A circuit breaker in a word, and what an operator can do about it."""

from __future__ import annotations

from worker.operate.doctor.finding import Finding, failed, ok, warning
from worker.operate.wording import duration
from worker.providers.circuit_states import Circuit

#: The reason of a circuit that a wrong key or an empty balance has opened (`ProviderDenied.kind`).
DENIED = "denied"
#: What to do about a model that cannot be asked; the guide has it step by step.
GONE = "give the provider another model in PROVIDERS_FILE and restart worker-ai (docs/providers.md), then: {close}"


def judge_circuit(circuit: Circuit) -> Finding:
    """A closed circuit is well; one that opened mends itself, unless the key or the balance is the reason."""
    check = f"circuit {circuit.name}"
    close = f"chasqui circuits close {circuit.name}"
    if circuit.answered_by and circuit.state == "closed":
        return warning(check, f"answered by {circuit.answered_by}", "is that what you want to pay? docs/providers.md")
    if circuit.state == "closed":
        calls = f", {circuit.failures} of {circuit.calls} calls failed" if circuit.failures else ""
        return ok(check, f"closed{calls}")
    if circuit.state == "forced_open":
        return warning(check, "opened by hand", f"when the provider may be asked again: {close}")
    if circuit.model:
        found = f"{circuit.state} ({circuit.reason}): {circuit.told or 'it refuses every request'}"
        return warning(check, found, GONE.format(close=close))
    if circuit.reason == DENIED:
        mend = f"check the key and the balance, restart worker-ai, then: {close}"
        return failed(check, f"{circuit.state}: the provider refuses the key, or the balance is empty", mend)
    wait = f", for {duration(circuit.open_s)} more" if circuit.open_s is not None else ": the next call tries it"
    reason = f" ({circuit.reason})" if circuit.reason else ""
    return warning(check, f"{circuit.state}{reason}{wait}", f"nothing; it tries again by itself, or now: {close}")

"""Errors that Chasqui raises. Facts are attributes; a foreign exception is translated once, where it enters.

ChasquiError
├── ConfigurationError        a setting, a file or the machine is not fit; the text says what to do
│   └── ShopFileInvalid       SHOP_FILE cannot be read or holds mistakes, each with its place
├── CommandError              a command line request cannot be done; the text is shown as it is
├── BadPayload                an inbound payload or message cannot be read; `reason` goes to `whatsapp:rejected`
├── BrokerUnavailable         Celery's broker does not answer
├── RedisNotSwept             the durable Redis has restarted and its losses are not put back: nothing may be published
├── StepFailed                a task failed; carries only the kind of error, never a value
└── ProviderError             a call to a language model brought no usable answer
    ├── GivenUp               may be repeated: no whole answer, or 5xx or 429; `sent`: it may be billed
    │   ├── ProviderTimeout       no complete answer before the deadline
    │   └── ProviderUnavailable   connection refused, cut, or an answer 5xx; `retry_after_s` where a wait was named
    │       └── ProviderRateLimited   429
    ├── ProviderDenied        401, 402, 403 and others that mean the same: the key or the balance
    ├── ModelFault            the model cannot be asked as it is asked, whatever the message
    │   ├── ModelGone         withdrawn, unknown, closed to this key
    │   └── ModelUnfit        refuses a parameter, a value, the schema or the region
    ├── RequestRefused        400, 413, 422, a content filter, or only cart operations that nobody asked for: about this
    │                         request, not about the provider
    └── UnreadableAnswer      not what the wire format promises: garbage, empty, truncated, or not the reply schema
        └── ThoughtAway       the model's thoughts took the whole limit of output
"""

from collections.abc import Sequence

from worker.usage import Usage


class ChasquiError(Exception):
    """Root of all errors raised on purpose."""


class ConfigurationError(ChasquiError):
    """Setting, file or machine that is not fit; the message says how to mend it."""


class ShopFileInvalid(ConfigurationError):
    """Shop's file that cannot be taken. `mistakes`: a line for each, with its place, without the file's name."""

    def __init__(self, file: str, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(f"{file}: {mistake}" for mistake in mistakes))
        self.mistakes = tuple(mistakes)


class CommandError(ChasquiError):
    """Request on the command line that cannot be done; the message is one clear line for the person who typed it."""


class BadPayload(ChasquiError):
    """Inbound payload or message that cannot be read. `reason` is written for the gateway's developer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RedisNotSwept(ChasquiError):
    """Restart of the durable Redis whose losses are not put back yet: nothing may be published."""


class BrokerUnavailable(ChasquiError):
    """Broker of Celery that does not answer. Its text is the name of the foreign error, whose own may hold a URL."""


class StepFailed(ChasquiError):
    """Failure of a task of the chain. Holds the kind of the error only: no value reaches a log or Flower."""

    def __init__(self, task: str, kind: str) -> None:
        super().__init__(f"{task}: {kind}")
        self.kind = kind


class ProviderError(ChasquiError):
    """Call to a language model without a usable answer.

    Args:
        provider: its name.
        detail: status and code, without keys, texts or URLs with queries.
        usage: tokens the answer was billed for, where it came with figures although it could not be used; estimated
            for a call that was given up after it had been sent.
        sentence: the provider's own sentence without key and customer's words, where an operator needs it.
        sent: the request had gone out before the connection ended, so that it may be billed.
        retry_after_s: wait that an unavailable provider named, in the header or the body; None where it named none.
        unclear: a refusal does not say whether the message or the model is its reason.
        answered: it is we who refuse a whole answer; the provider is well.
    """

    kind = "error"

    def __init__(
        self,
        provider: str,
        detail: str,
        *,
        usage: Usage | None = None,
        sentence: str = "",
        sent: bool = False,
        retry_after_s: float | None = None,
        unclear: bool = False,
        answered: bool = False,
    ) -> None:
        super().__init__(f"{provider}: {self.kind}: {detail}")
        self.provider = provider
        self.detail = detail
        self.usage = usage
        self.sentence = sentence
        self.sent = sent
        self.retry_after_s = retry_after_s
        self.unclear = unclear
        self.answered = answered


class GivenUp(ProviderError):
    """Call that may be repeated: no whole answer came, or one that says "not now" (5xx, 429)."""


class ProviderTimeout(GivenUp):
    """Deadline that passed without a complete answer."""

    kind = "timeout"


class ProviderUnavailable(GivenUp):
    """Connection refused or cut, or an answer 5xx."""

    kind = "unavailable"


class ProviderRateLimited(ProviderUnavailable):
    """HTTP 429."""

    kind = "rate_limited"


class ProviderDenied(ProviderError):
    """Wrong key or empty balance: HTTP 401, 402, 403, and what else means the same (`refusals.toml`)."""

    kind = "denied"


class ModelFault(ProviderError):
    """Model that cannot be asked, or not in this way; another message would fare no better."""


class ModelGone(ModelFault):
    """Model that is withdrawn, unknown, or closed to this key."""

    kind = "model_gone"


class ModelUnfit(ModelFault):
    """Model that refuses how it is asked: a parameter, a value, the schema, the region."""

    kind = "model_unfit"


class RequestRefused(ProviderError):
    """HTTP 400, 413, 422, or a content filter: it counts against this request, not against the provider."""

    kind = "refused"


class UnreadableAnswer(ProviderError):
    """Answer that is not what the wire format promises: garbage, empty, truncated, or not the reply schema."""

    kind = "unreadable"


class ThoughtAway(UnreadableAnswer):
    """Answer whose thoughts took the whole limit of output: thinking must be turned off in the request."""

    kind = "thinking"

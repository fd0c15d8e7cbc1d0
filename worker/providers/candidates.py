"""Who may answer, in which order. Pure thought."""

from __future__ import annotations

from collections.abc import Sequence

from worker.providers.providers_file import Provider


def candidates(providers: Sequence[Provider], complexity: str) -> list[Provider]:
    """Providers with a key: those made for this complexity first, then the others, the cheaper before the dearer.
    An unfit model is better than no answer.
    """
    usable = [provider for provider in providers if provider.api_key is not None]
    return sorted(usable, key=lambda provider: (complexity not in provider.complexities, _price(provider)))


def _price(provider: Provider) -> tuple[object, object]:
    return (provider.prices.output_usd, provider.prices.input_usd)

"""Order in which providers are asked. Pure thought."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from worker.providers.models import Provider


def candidates(providers: Sequence[Provider], complexity: str, now: datetime) -> list[Provider]:
    """Usable providers: those made for this complexity first, then the others, the cheaper before the dearer by what
    their preferred model costs now. An unfit model is better than no answer.
    """
    usable = [provider for provider in providers if provider.usable]
    return sorted(usable, key=lambda provider: (complexity not in provider.complexities, _price(provider, now)))


def _price(provider: Provider, now: datetime) -> tuple[object, object]:
    price = provider.models[0].price_at(now)
    return (price.output_usd, price.input_usd)

"""Names of products: which of some products are called as a customer says. Pure: no I/O."""

from collections.abc import Sequence

from worker.catalog.product import Product
from worker.language.names import same
from worker.language.normalise import name_in_full
from worker.language.spelling import stem


def called(name: str, found: Sequence[Product]) -> tuple[Product, ...]:
    """Products whose names have all words of a name, in whatever words of one thing; where there are some that begin
    with it, these alone: "jugo" is no pineapple in its juice.
    """
    wanted = _read(name)
    spoken = {product: _read(product.full_name) for product in found}
    those = tuple(product for product, words in spoken.items() if set(wanted) <= set(words))
    return tuple(product for product in those if spoken[product][0] == wanted[0]) or those


def _read(name: str) -> list[str]:
    """Stems of a name, each in the usual word for what has several: "zumo" is "jugo"."""
    return [stem(word) for word in same(name_in_full(name)).split()]

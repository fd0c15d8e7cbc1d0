"""Scene of a turn: all that a decision about it is told from. Pure: no I/O."""

from msgspec import Struct

from worker.catalog.product import Product
from worker.language.answers import denies, folded, says_only_no, spelled_out, telling_words
from worker.language.patterns import patterns_of
from worker.session.session import Session
from worker.session.turn import Turn
from worker.shop.shop import Shop

_P = patterns_of(__file__)
#: Session of no customer.
NOBODY = Session(id="", customer_phone="")


class Scene(Struct, frozen=True):
    """All that a decision about a turn is told from.

    Args:
        products: rows of the catalogue that the customer may mean, best first.
        searched: how many of them, from the first on, this message asked for; the others were shown before.
        version: of what the reply shows, for its buttons: each turn's own.
        text: the customer's words.
    """

    shop: Shop
    session: Session
    version: str
    products: tuple[Product, ...] = ()
    searched: int = 0
    text: str = ""

    def payment_in(self, words: str) -> str | None:
        """The one payment method of the shop that some words name, if any; where it was asked for, by a part of its
        name that no other has.
        """
        if not (words := _undenied(words)):
            return None
        spoken = f" {spelled_out(folded(words))} "
        named = [method for method in self.shop.payments if f" {folded(method)} " in spoken]
        if not named and self.session.context.asking == "payment":
            partly = [method for method in self.shop.payments if telling_words(method).intersection(spoken.split())]
            return partly[0] if len(partly) == 1 else None
        longest = max(named, key=len, default=None)
        return longest if longest and all(folded(other) in folded(longest) for other in named) else None


def _undenied(words: str) -> str:
    """The parts of a text that say no to nothing: "efectivo" of "efectivo, sin bolsa". A no at the end is to it all."""
    parts = [part for part in _P["end_of_part"].split(words) if folded(part)]
    if not parts or says_only_no(parts[-1]):
        return ""
    return ", ".join(part for part in parts if not denies(part))


def scene_of(turn: Turn, shop: Shop) -> Scene:
    """The scene of a planned turn; that of a request which is everybody's knows nothing of this customer."""
    plan = turn.planned()
    session = NOBODY if plan.shared else turn.fetched()
    return Scene(shop, session, turn.version, plan.products, plan.searched, turn.text)

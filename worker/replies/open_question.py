"""Open question of a reply, and the bare answers to it ("sí", "no", "el segundo", "2"), as far as both are certain by
their words (`data/open_question.toml`). Pure: no I/O.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from zlib import crc32

from worker.catalog.product import PIECES, Product
from worker.language.answers import NO, YES, asks, folded, row_number, yes_or_no
from worker.language.normalise import normalised
from worker.language.patterns import compiled, patterns_of, read_data
from worker.language.product_words import USUAL
from worker.language.spelling import Spelling, is_any
from worker.messages.reply import Choices, Row
from worker.replies.buttons import CHECKOUT, PERSON, VIEW_CART, buttons, product_choices
from worker.replies.scene import Scene
from worker.session.outcome import Decision
from worker.session.session import Context, Exchange
from worker.shop.shop import Shop

_DATA: Final[dict[str, Any]] = read_data(__file__, "open_question")
#: Which of the products in the list; how many of the only one; what the customer is looking for; which product was
#: meant; what else; nothing.
WHICH, HOW_MANY, WHAT, MEANT, MORE, NOTHING = "which", "how_many", "what", "meant", "more", "nothing"
#: The first two of our own list, which tells of nothing beside its rows.
OWN_WHICH, OWN_HOW_MANY = "own_which", "own_how_many"
#: How such a question is asked again.
AGAIN: Final = {OWN_WHICH: WHICH, OWN_HOW_MANY: HOW_MANY, MEANT: WHAT}
_ASIDE: Final = "aside"
_ENDS: Final = re.compile(r"([.!?¿;\n])")
#: Bare answers are short, and so are plain questions; a reply with more of them asks otherwise.
MOST_CHARS, MOST_QUESTIONS = 80, 2
#: Shorter words are too often others.
SHORTEST_SLIP: Final = 4
#: More pieces than anybody orders without a word about it.
MOST_PIECES: Final = 20
_ORDINALS, _COUNTS = (
    {word: int(number) for number, words in _DATA[table].items() for word in words.split()}
    for table in ("ordinals", "counts")
)
#: Words of bare answers, of which others may be slips.
_WORDS: Final = frozenset(" ".join((*_ORDINALS, *_COUNTS, _DATA["slips"]["of"])).split())
_SPELLING: Final = Spelling(_WORDS)
_KINDS: Final = compiled(_DATA["questions"], {})
_P: Final = patterns_of(__file__) | compiled(
    _DATA["told"] | _DATA["otherwise"] | _DATA["answers"], {"ordinal": list(_ORDINALS), "count": list(_COUNTS)}
)


def open_question(reply: str, choices: Choices | None, *, numbered: bool, changed: bool = False) -> str:
    """Kind of the only question that a reply asks, NOTHING where it asks nothing; empty where it may ask anything else.
    A list asks which, and a changed cart what else, without a word about it.

    Args:
        numbered: the rows of its list are what a number means.
        changed: it tells of a change of the cart.
    """
    if reply.count("?") > MOST_QUESTIONS:
        return ""
    rows = choices.rows if choices else ()
    said = _without_rows(reply, rows)
    if numbered and len(rows) > 1 and _P["own_list"].fullmatch(folded(said)):
        return OWN_WHICH
    if len(rows) == 1 and _P["own_one"].fullmatch(folded(said)):
        return OWN_HOW_MANY
    parts = [*_ENDS.split(said), ""]
    ended = list(zip(parts[::2], parts[1::2], strict=True))
    kinds = [_kind_of(folded(part)) if end == "?" else _kind_told(folded(part)) for part, end in ended]
    asked = [kind for kind in kinds if kind not in (_ASIDE, None)]
    if "" in asked or len(asked) > 1:
        return ""
    kind = asked[0] if asked else MORE if changed else WHICH if rows else NOTHING
    fits = {WHICH: numbered and len(rows) > 1, HOW_MANY: len(rows) == 1}
    return kind if fits.get(kind, not rows) else ""


def _without_rows(reply: str, rows: Sequence[Row]) -> str:
    """A reply without the lines that are rows of its list, which ask nothing."""
    described = {f"{place}. {row.description}" for place, row in enumerate(rows, 1)}
    return "\n".join(line for line in reply.split("\n") if line not in described)


def marked(kind: str, history: Sequence[Exchange]) -> str:
    """A kind with a mark of the reply that has asked it, the last one of a history; empty for none."""
    return f"{kind}:{crc32(history[-1].reply.encode()):x}" if kind and history else ""


def still_open(context: Context) -> str:
    """The kind of the question that is open: whatever was said since, by a person of the shop say, has closed it."""
    kind = context.left_open.partition(":")[0]
    return kind if kind and context.left_open == marked(kind, context.history) else ""


def _kind_told(part: str) -> str | None:
    """Kind of question that a sentence without a question mark is; None where it asks nothing."""
    if len(part) <= MOST_CHARS and (found := _P["asked"].fullmatch(part)):
        return _kind_of(found["asked"])
    return MORE if _P["more"].fullmatch(part) else "" if _P["words"].search(part) else None


def _kind_of(question: str) -> str:
    fits = len(question) <= MOST_CHARS
    return next((kind for kind, pattern in _KINDS.items() if fits and pattern.fullmatch(question)), "")


def bare_answer(text: str) -> str:
    """YES or NO where a text is plainly that, and not one which may be meant for an order; else empty."""
    answer = yes_or_no(text)
    return answer if answer in (YES, NO) and not _P["meant_otherwise"].search(folded(text)) else ""


def thanks(text: str) -> bool:
    """Returns whether a bare answer thanks too: whoever does wants nothing more."""
    return bool(_P["thanking"].search(folded(text)))


def row_in(text: str) -> int | None:
    """The place of a row that a text names and nothing else: "2", "la 2", "el segundo", "dame el 1"."""
    if row := row_number(text):
        return row
    found = _found(_P["row"], text)
    word = found and (found["ordinal"] or found["bare"])
    return _ORDINALS[word] if word else int(found["number"]) if found else None


def count_in(text: str) -> int | None:
    """The number of pieces that a text names and nothing else: "2", "dos", "quiero 2", "mejor 3"."""
    found = _found(_P["count"], text)
    said = found["count"] if found else "0"
    number = _COUNTS.get(said) or int(said)
    return number if 0 < number <= MOST_PIECES else None


def points(text: str) -> bool:
    """Returns whether a text points at something and says nothing else: "esa", "la misma", "el segundo", "2"."""
    return bool(row_in(text) or count_in(text)) or _found(_P["pointing"], text) is not None


def points_among(text: str) -> bool:
    """Returns whether a text points at some of several things and says nothing else: "esa", "el otro", "los dos"."""
    return points(text) or _found(_P["among"], text) is not None


def points_at_both(text: str) -> bool:
    """Returns whether a text is "los dos", in whatever words."""
    found = _found(_P["among"], text)
    return bool(found and found["both"])


def without_slips(text: str) -> str:
    """A text with the slips put right that turn its words into those of bare answers; empty where it has none, or signs
    that may tell more.
    """
    plain = normalised(text)
    if len(text) > MOST_CHARS or not _P["plain"].fullmatch(text):
        return ""
    mended = " ".join([_mended(word) for word in plain.split()])
    return mended if mended != plain else ""


def _mended(word: str) -> str:
    if word in _WORDS or len(word) < SHORTEST_SLIP or is_any(word, USUAL):
        return word
    return _SPELLING.meant_by(word, lambda _: True) or word


def _found(pattern: re.Pattern[str], text: str) -> Mapping[str, Any] | None:
    """The groups of a pattern where a text that asks nothing is that, with a courtesy at most."""
    found = (
        None if asks(text) or len(text) > MOST_CHARS else pattern.fullmatch(_P["courtesy"].sub("", normalised(text)))
    )
    return found.groupdict() if found else None


def means_rows(reply: str, choices: Choices) -> bool:
    """Returns whether a number written next means the row of that place: the reply asks for no quantity, and numbers or
    lists nothing otherwise than the list does.
    """
    lines = [(int(number), line) for number, line in _P["numbered"].findall(reply)]
    lines += enumerate(_P["listed"].findall(reply), 1)
    rows = choices.rows
    return not asks_how_many(reply) and all(
        0 < place <= len(rows) and _is_of(line, rows[place - 1]) for place, line in lines
    )


def asks_how_many(reply: str) -> bool:
    """Returns whether a reply asks for a quantity."""
    return asks(reply) and bool(_P["how_many"].search(reply))


def _is_of(line: str, row: Row) -> bool:
    """Returns whether a numbered line is about the product of a row: its name, and its price where one is told."""
    if line == row.description:
        return True
    name, _, told = row.description.rpartition(": ")
    words = set(folded(line).split())
    is_named = any(set(folded(one).split()) <= words for one in (row.title, name or row.title))
    # "€ 1,20" and "1,20 €" are one price.
    price = _P["amount"].search(told)
    return is_named and (not _P["money"].search(line) or price is None or price[0] in _P["amount"].findall(line))


def asked_again(verb: str, scene: Scene) -> Decision | None:
    """The decision of "leave", "welcome" and what begins with "ask_"; None where what was shown is sold no more."""
    shop, shown = scene.shop, scene.products
    if verb == "ask_which":
        return _showing(shop, shown, listed(shop, shown, "which")) if len(shown) > 1 else None
    if verb == "ask_how_many":
        named = shown[0].full_name if len(shown) == 1 else ""
        return _showing(shop, shown, shop.text("products.how_many", name=named)) if named else None
    onward = buttons(shop, *((VIEW_CART, CHECKOUT) if scene.session.cart else (PERSON,)))
    return Decision("unknown", 1.0, reply=shop.text(f"answer.{verb}"), quick_replies=onward)


def _showing(shop: Shop, products: Sequence[Product], text: str) -> Decision | None:
    choices = product_choices(shop, products)
    return Decision("search_product", 1.0, reply=text, choices=choices) if choices and text else None


def listed(shop: Shop, products: Sequence[Product], lead: str = "found", end: str = "") -> str:
    """Products that can be bought, numbered as the rows of the list, and what to do with them; empty where there is
    none.

    Args:
        lead: name of the text before them.
        end: what is said behind them instead.
    """
    choices = product_choices(shop, products)
    rows = choices.rows if choices else ()
    by_the_piece = {f"add:{product.sku}" for product in products if product.unit == PIECES}
    end = end or shop.text("products.pieces" if len(rows) == 1 and rows[0].id in by_the_piece else "products.choose")
    lines = [f"{place}. {row.description}" for place, row in enumerate(rows, 1)]
    return "\n".join([shop.text(f"products.{lead}"), *lines, end]) if lines else ""

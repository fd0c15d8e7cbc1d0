"""Guard of the cart: a model may do to it only what the customer's own words ask for. Pure: no I/O.

A model can be talked into things, by a text a customer forwards or by the name of a product. Whatever it answers, a
cart changes only in the way, by the numbers and with the products that this customer's message stands for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from worker.catalog.product import Product, availability
from worker.language.normalise import without_accents
from worker.replies.decision import RefusedChange, refuse
from worker.session.cart import CartOperation
from worker.session.outcome import Decision
from worker.session.session import HISTORY_CHARS, Session

_UP_TO_TEN = ("un", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez")
NUMBER_WORDS = {word: number for number, word in enumerate(_UP_TO_TEN, 1)} | {
    "una": 1,
    "uno": 1,
    "par": 2,
    "once": 11,
    "doce": 12,
    "docena": 12,
    "quince": 15,
    "veinte": 20,
    "treinta": 30,
}
HALF_DOZEN = re.compile(r"\bmedia docena\b")
NUMBERS = re.compile(r"\d+")
#: No quantity: "60% cacao".
SHARES = re.compile(r"(?<!\d)\d++(?:[.,]\d++)? ?%")
WORDS = re.compile(r"[a-zñ]+")
# What begins like one of these words and is for sale ("mandarina", "solomillo", "sacacorchos") asks for nothing.
ADDING = re.compile(
    r"\b(?:(?:agreg|anad|suma|pon(?!che)|dame|deme|dam(?!asco|ajuana)|quier|kier|quisier|llev|anot|mand(?!arin|ioca)|envi"
    r"|compr(?!imido|esas)|pedi(?!alyte|asure)|necesit|trae|reserv|mete|incluy|vendeme|tomo|me das|vaya)\w*"
    r"|(?:van?|vamos)\b)"
)
CHANGING = re.compile(
    r"\b(?:(?:cambi|mejor(?!ana)|que sean|deja|modific|correg|en vez|baja|subi|aument|reduc)\w*|solo\b)"
)
REMOVING = re.compile(
    r"\b(?:(?:sac(?!arina|arosa|acorcho|apunta)|quit(?!aesmalte|amancha|asarro)|elimin|borr(?!aja)|no quiero|ya no"
    r"|cancel|menos)\w*|sin\b)"
)
CLEARING = re.compile(
    r"\b(vaci|borr|limpi|cancel|elimin|sac|quit)\w*( \w+){0,3} (todo|carrito|pedido|compra)\b"
    r"|\bempe\w+ de (nuevo|cero)\b|\bvaci"
)
AGREEING = re.compile(
    r"^\W*(s[ií]+|sip|dale|ok|okey|okay|bueno|claro|por favor|confirmo|listo|perfecto|obvio|de una|vale|va)\b"
)
#: Who writes one of these has not confirmed an order, whatever else stands there.
HESITATING = re.compile(r"\b(?:no|todavia|aun no|espera\w*|pera|despues te|cancel\w*|mejor no|pregunt\w*|duda\w*)\b")
ASKING = re.compile(r"\?|\b(cuanto|cuanta|cual|precio|tenes|tienen|hay|venden|sale|cuesta|vale)\b")
#: Words that talk to the machine, not to the shop. Nobody who wants groceries needs them.
INJECTION = re.compile(
    r"\b(ignor\w+|olvid\w+|desobedec\w+|disregard|forget|override)\b"
    r".{0,40}\b(instruc\w+|regla\w*|rules?|anterior\w*|previous|prompt)"
    r"|\b(system|sistema|assistant|developer) ?(:|prompt|message)"
    r"|\b(prompt|jailbreak|cart_operations|next_state|product_id)\b"
    r"|\b(sos|eres|actua como|you are|act as) .{0,30}\b(admin\w*|root|desarrollador|developer|dan|sin restricciones)\b"
    r"|modo (desarrollador|admin\w*|debug)|<\/?\w+>|```|\{\s*[\"']"
)
#: What a shop says when it has changed a cart. Accents tell: "agregué" is done, "agregue" is only spoken of.
_CHANGED = r"(?:agreg|sum|añad|anot|carg|inclu|met|sac|quit|elimin|borr|retir|vaci|cambi|modific|actuali[cz]|dej)"
CLAIMING = re.compile(
    rf"\b{_CHANGED}(?:u?é|í|amos|imos|i?ó|aron|ieron|ad[oa]s?|id[oa]s?)\b"
    r"|\b(?:saqué|modifiqué|puse|pusimos|puest[oa]s?|ya están?)\b|(?:^|[.!¡:,\n])[^\S\n]*+(?:listo|hecho)\b"
)
DENYING = re.compile(r"\b(?:no|ni|sin)(?: (?:te|me|se|l[aoe]s?|he|hemos|ha|han|fue|fueron|qued\w+|está|están))* \w+")
#: "2" alone answers "which?" or "how many?"; a shopping list is products with numbers before them.
_NUMBER = r"(?:\d+|primer\w*|segund\w*|tercer\w*|cuart\w*|quint\w*|ultim\w*)\b"
BARE_NUMBER = re.compile(rf"^\W*(?:el |la )?{_NUMBER}")
#: A choice and nothing else. How many of it may have been said in the message before.
CHOOSING = re.compile(
    rf"\W*(?:(?:quiero|quisiera|dame|deme|opcion|numero|nro|el|la|si|dale|ok|mejor)\W+)*{_NUMBER}\W*(?:por favor\W*)?"
)


class CartRules(Struct, frozen=True):
    """Rules for the cart operations of one decision.

    Args:
        kinds: operations that may be made.
        quantities: numbers that stand in the customer's words.
        offered: ids of products of the request and of the cart.
        in_stock: those of them that can be added.
        may_complete: the customer agrees, so that an order may be placed.
    """

    kinds: frozenset[str]
    quantities: frozenset[int]
    offered: frozenset[int]
    in_stock: frozenset[int]
    may_complete: bool = False


def rules_for(message: str, session: Session, products: Iterable[Product]) -> CartRules:
    """The rules for one message in its session. When the customer only agrees or names a number, what the shop said
    last counts too. When he does nothing but choose, as he was asked to, so do the numbers of what he had written
    before: "3 leches", "which?", "the second" are three of the second.
    """
    said = _folded(message)
    last = session.last_exchange
    asked_for = _folded(last.customer)
    meant = f"{said} {_folded(last.reply)}" if AGREEING.match(said) or BARE_NUMBER.match(said) else said
    # A long list is clipped, and its question with it.
    asked = "?" in last.reply or len(last.reply) >= HISTORY_CHARS
    chooses = asked and CHOOSING.fullmatch(said) and not INJECTION.search(asked_for)
    counted = f"{meant} {asked_for}" if chooses else meant
    known = {product.id: availability(product.stock) for product in products}
    in_cart = {item.id for item in session.cart}
    return CartRules(
        kinds=frozenset() if INJECTION.search(said) else _kinds(said, meant),
        quantities=frozenset({1, *numbers_in(counted), *(item.quantity for item in session.cart)}),
        offered=frozenset(known) | in_cart,
        in_stock=frozenset(i for i, left in known.items() if left != "none") | (in_cart - known.keys()),
        may_complete=bool(AGREEING.match(said)) and not INJECTION.search(said) and not HESITATING.search(said),
    )


def _folded(text: str) -> str:
    """The text without accents, and with one space wherever there are more: "el  segundo". Lines stay, since each may
    be a message of its own.
    """
    return "\n".join(" ".join(line.split()) for line in without_accents(text).splitlines())


def _kinds(said: str, meant: str) -> frozenset[str]:
    kinds = set()
    lists_products = bool(_numbers(said)) and not ASKING.search(said)
    if ADDING.search(said) or CHANGING.search(said) or lists_products or meant is not said:
        kinds |= {"add", "set"}
    if REMOVING.search(meant) or CHANGING.search(said):
        kinds |= {"remove", "set"}
    if CLEARING.search(meant):
        kinds |= {"clear", "remove"}
    return frozenset(kinds)


def numbers_in(text: str) -> frozenset[int]:
    """The quantities that are named in a folded text, as digits or as words."""
    return _numbers(SHARES.sub(" ", text))


def _numbers(text: str) -> frozenset[int]:
    digits = {int(number) for number in NUMBERS.findall(text) if len(number) <= 4}
    words = {NUMBER_WORDS[word] for word in WORDS.findall(text) if word in NUMBER_WORDS}
    return frozenset(digits | words | ({6} if HALF_DOZEN.search(text) else set()))


def check_cart(decision: Decision, rules: CartRules) -> None:
    """Raises RefusedChange for the cart operations that the customer did not ask for."""
    refuse((change, _against(change, rules)) for change in decision.cart_operations)


def _against(change: CartOperation, rules: CartRules) -> str | None:
    if change.op not in rules.kinds:
        return f"the customer did not ask for {change.op}"
    if change.op in ("add", "set"):
        if change.product_id not in rules.in_stock:
            return "product is not in stock"
        if change.quantity not in rules.quantities:
            return "quantity was not asked for"
    return None


def check_order(decision: Decision, rules: CartRules) -> None:
    """Raises RefusedChange for an order that the customer has not agreed to in this very message."""
    if decision.next_state == "order_completed" and not rules.may_complete:
        problem = "next_state: the customer has not confirmed the order"
        raise RefusedChange(problem, problem)


def check_claim(decision: Decision) -> None:
    """Raises RefusedChange where the reply tells the customer of a change to the cart. For decisions that change none,
    although their model wanted to: it may have kept its words.
    """
    if CLAIMING.search(DENYING.sub("", decision.reply.lower())):
        problem = "reply: says that the cart has changed"
        raise RefusedChange(problem, problem)

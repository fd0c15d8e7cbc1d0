"""The simulated model's brain: what a good shop assistant answers, from nothing but the request's own context."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from worker.devkit.ask import Ask, Said, currency_of, listed, price, read, say
from worker.devkit.spanish import (
    ADD,
    CHANGE,
    COUNT,
    COUNT_WORDS,
    COUNTS,
    PLACES,
    REMOVE,
    Item,
    count,
    matches,
    money,
    plain,
    stems,
    term,
)


def answer(context: dict[str, Any]) -> Said:
    """The reply object for one request context (the user text's JSON); always the same for the same context.

    In: categories, products, session (may be absent), message. Out: intent, confidence (0..1), entities, reply
    (Spanish), quick_replies, requires_human, next_state, cart_operations.
    """
    ask = read(context)
    for pattern, respond in _RULES:
        if pattern.search(ask.words) and (said := respond(ask)):
            return said
    return say("unknown", "Perdón, no te entendí. ¿Me lo decís con otras palabras?", None, "menu person", sure=0.3)


def _person(_: Ask) -> Said:
    text = "Claro, te paso con una persona del equipo. Te responde en un ratito por acá."
    return {**say("support", text), "requires_human": True}


def _fact(_: Ask) -> Said:
    text = "Ese dato no lo tengo a mano. Si querés, te comunico con una persona del equipo."
    return say("support", text, None, "person menu", sure=0.8)


def _hello(ask: Ask) -> Said:
    text = f"¡Hola{', ' + ask.name if ask.name else ''}! ¿Qué estás buscando hoy?"
    return say("greeting", text, "browsing", "menu view_cart")


def _thanks(_: Ask) -> Said:
    return say("greeting", "¡De nada! Cualquier cosa, escribime por acá.")


def _menu(ask: Ask) -> Said:
    lines = "\n".join(f"• {category}" for category in ask.categories)
    text = f"Tenemos:\n{lines}\n¿Qué te gustaría ver?" if lines else "Contame qué producto buscás y te digo si hay."
    return say("browse_category", text, "browsing", "view_cart")


def _category(ask: Ask) -> Said | None:
    wanted = stems(term(ask.words))
    named = next((c for c in ask.categories if stems(term(plain(c))) == wanted), None)
    if named is None:
        return None
    shown = f"En {named} tenemos:\n{listed(ask.products)}\n¿Cuál querés?"
    text = shown if ask.products else f"En {named} hay de todo un poco. ¿Qué producto buscás?"
    return say("browse_category", text, "searching", "menu view_cart", category=named)


def _search(ask: Ask) -> Said | None:
    if not ask.products:
        return _missing(term(ask.words)) if term(ask.words) else None
    question, state = (
        ("¿Cuál querés?", "searching") if len(ask.products) > 1 else ("¿Cuántas querés?", "viewing_product")
    )
    text = f"Esto tenemos:\n{listed(ask.products)}\n{question}"
    return say("search_product", text, state, "view_cart menu", product=term(ask.words))


def _missing(name: str) -> Said:
    text = f"No tenemos {name} por ahora. ¿Te ayudo con otra cosa?"
    return say("search_product", text, "browsing", "menu", sure=0.8, product=name)


def _compare(ask: Ask) -> Said:
    if len(ask.products) < 2 or len({currency_of(item) for item in ask.products}) > 1:
        return _search(ask) or say("search_product", "¿Qué productos querés comparar?", sure=0.6)
    ranked = sorted(ask.products, key=lambda item: Decimal(item["price"]))
    best = next((item for item in ranked if item["availability"] != "none"), ranked[0])
    gap = money(Decimal(ranked[-1]["price"]) - Decimal(best["price"]), best["currency"])
    text = f"Comparando precios:\n{listed(ranked)}\nTe conviene {best['name']}: {gap} menos que lo más caro."
    return say("search_product", text, "searching", "view_cart menu", product=term(ask.words))


def _add(ask: Ask) -> Said | None:
    wanted = [(part, matches(part, ask.products)) for part in ask.parts]
    if len(wanted) == 1 and not wanted[0][1]:  # the search forgave a typo that comparing words cannot see
        wanted = [(wanted[0][0], ask.products)]
    chosen = [(found[0], count(part) or 1) for part, found in wanted if len(found) == 1]
    unclear = next((found for _, found in wanted if len(found) > 1), [])
    absent = [term(part) for part, found in wanted if not found]
    if chosen or unclear:
        return _put(ask, chosen, unclear, absent)
    return _missing(", ".join(absent)) if absent else None


def _put(
    ask: Ask, chosen: Sequence[tuple[Item, int]], unclear: Sequence[Item] = (), absent: Sequence[str] = ()
) -> Said:
    taken = [(item, quantity) for item, quantity in chosen if item["availability"] != "none"]
    operations = [{"op": "add", "product_id": item["id"], "quantity": quantity} for item, quantity in taken]
    lines = [f"Agregué {quantity} × {item['name']} ({price(item)} c/u)." for item, quantity in taken]
    lines += [f"{item['name']}: se nos terminó." for item, _ in chosen if item["availability"] == "none"]
    lines += [f"No tenemos {name}." for name in absent]
    lines += [f"Hay varias opciones:\n{listed(unclear)}\n¿Cuál querés?"] if unclear else []
    lines += [f"Tu carrito suma {ask.total(*operations)}. ¿Algo más?"] if ask.known and taken else []
    about: dict[str, Any] = {"product": taken[0][0]["name"], "quantity": taken[0][1]} if taken else {}
    state = "searching" if unclear else "adding_to_cart" if taken else "browsing"
    return say("add_to_cart", "\n".join(lines), state, "view_cart checkout", *operations, **about)


def _in_cart(ask: Ask) -> Item | None:
    """The cart item the message names; the latest one where it names none ("sacalo")."""
    found = matches(ask.words, ask.cart) if term(ask.words) else ask.cart[-1:]
    return found[0] if found else None


def _remove(ask: Ask) -> Said:
    item, less = _in_cart(ask), count(ask.words)
    if item is None:
        return say("remove_from_cart", "No veo ese producto en tu carrito.", None, "view_cart", sure=0.7)
    if less and less < int(item["quantity"]):
        return _set(ask, item, int(item["quantity"]) - less)
    operation = {"op": "remove", "product_id": item["id"]}
    text = f"Saqué {item['name']} de tu carrito. Ahora suma {ask.total(operation)}."
    return say("remove_from_cart", text, "viewing_cart", "view_cart checkout", operation, product=item["name"])


def _change(ask: Ask) -> Said | None:
    item, quantity = _in_cart(ask), count(ask.words)
    return _set(ask, item, quantity) if item and quantity else None


def _set(ask: Ask, item: Item, quantity: int) -> Said:
    name, operation = item["name"], {"op": "set", "product_id": item["id"], "quantity": quantity}
    text = f"Listo, dejé {quantity} × {name}. Tu carrito suma {ask.total(operation)}."
    quick = "view_cart checkout"
    return say("modify_cart_quantity", text, "viewing_cart", quick, operation, product=name, quantity=quantity)


def _view(ask: Ask) -> Said:
    if not ask.cart:
        return say("view_cart", "Tu carrito está vacío. ¿Qué te agrego?", "browsing", "menu")
    lines = "\n".join(f"• {item['quantity']} × {item['name']}: {price(item)} c/u" for item in ask.cart)
    return say("view_cart", f"Tu carrito:\n{lines}\nTotal: {ask.total()}", "viewing_cart", "checkout menu")


def _clear(_: Ask) -> Said:
    text = "Listo, vacié tu carrito. ¿Empezamos de nuevo?"
    return say("clear_cart", text, "browsing", "menu", {"op": "clear"})


def _checkout(ask: Ask) -> Said | None:
    if ask.state == "confirming_order":
        return _yes(ask)
    if not ask.cart:
        return _view(ask)
    return say("checkout", f"Tu pedido suma {ask.total()}. ¿Seguimos con el envío?", "checkout", "yes no view_cart")


def _address(ask: Ask) -> Said | None:
    if ask.state not in ("checkout", "waiting_address") or re.search(f"{ADD}|{REMOVE}|{CHANGE}", ask.words):
        return None
    if re.search(r"\d", ask.message) and re.search(r"[a-z]{3}", ask.words):
        text = f"Lo enviamos a: {ask.message}\nTotal: {ask.total()}. ¿Confirmás el pedido?"
        return say("checkout", text, "confirming_order", "yes no", address=ask.message)
    text = "¿Me pasás la dirección con calle y número, por favor?"
    return say("checkout", text, "waiting_address", sure=0.7) if ask.state == "waiting_address" else None


def _yes(ask: Ask) -> Said:
    if ask.state == "confirming_order":
        return say("checkout", "¡Pedido confirmado! Gracias por tu compra.", "order_completed")
    if ask.state in ("checkout", "waiting_address"):
        return say("checkout", "¡Genial! ¿A qué dirección te lo enviamos?", "waiting_address")
    if len(ask.offered) == 1:
        return _take(ask, ask.offered[0], 1)
    return say("unknown", "¡Dale! ¿Qué producto te agrego?", None, "menu view_cart", sure=0.6)


def _no(ask: Ask) -> Said:
    if ask.state in ("checkout", "waiting_address", "confirming_order"):
        text = "Sin problema, no lo confirmo todavía. ¿Qué querés cambiar?"
        return say("view_cart", text, "viewing_cart", "view_cart checkout")
    return say("unknown", "Perfecto. Cuando quieras, seguimos.", None, "view_cart checkout", sure=0.6)


def _pick(ask: Ask) -> Said | None:
    """A bare number: one of several offered products, or how many of the only one."""
    if ask.state in ("checkout", "waiting_address"):
        return None
    word, offered = ask.words.split()[-1], ask.offered
    number = PLACES.get(word) or COUNTS.get(word) or int(word)
    if len(offered) == 1 and number and word not in PLACES:
        return _take(ask, offered[0], number)
    if 1 <= number <= len(offered):
        return _take(ask, offered[number - 1], count(plain(ask.history[-1]["customer"])) or 1)
    return say("unknown", "¿A qué producto te referís?", None, "menu view_cart", sure=0.5)


def _take(ask: Ask, name: str, quantity: int) -> Said:
    item = next((item for item in (*ask.products, *ask.cart) if item["name"] == name), None)
    if item is None:  # its id is not in this request, and guessing one would sell something else
        text = f"¿{name}? Escribime su nombre y cuántas querés, así te lo agrego."
        return say("add_to_cart", text, "viewing_product", sure=0.6, product=name)
    return _put(ask, [({"availability": "available", **item}, quantity)])


_GREET = r"(hola+|holis|hey|che|buen[ao]?s?( dias?| tardes?| noches?)?|que tal|como (estas|va|andas|andan))"
_WISH = r"((muchas |mil )?gracias|chau|adios|hasta (luego|manana|pronto)|nos vemos|genial|barbaro|saludos)"
_NUMBER = rf"(\d{{1,2}}|{'|'.join(PLACES)}|{COUNT_WORDS})"
_TABLE: tuple[tuple[str, Callable[[Ask], Said | None]], ...] = (
    (r"\b(persona|humano|asesor\w*|operador\w*|representante|encargad[oa]|alguien|reclamo|queja)\b", _person),
    (r"\b(vaci\w+ .*carrito|borra\w* todo|cancel\w+|empezar de nuevo)\b", _clear),
    (
        r"\b(ver|mostra\w*|tengo|hay|como va)\b.*\bcarrito\b|^(mi |el )?carrito$|\bcuanto (llevo|va|es el total)\b",
        _view,
    ),
    (r"^(si+|sip|dale|ok|okey|bueno|claro|de una|perfecto)( (si|dale|confirm\w+|por favor|gracias))*$", _yes),
    (r"^(no|nop|nono)( (gracias|por ahora|nada|mas|todavia|quiero|necesito))*$", _no),
    (r"\b(pagar|finaliz\w+|termin\w+|(hacer|cerrar|confirm\w+) .*pedido|eso es todo)\b|^(confirm\w+|listo)", _checkout),
    (rf"^((el|la|opcion|numero|dame|quiero) )*{_NUMBER}$", _pick),
    (r"", _address),
    (rf"^{_GREET}( {_GREET})*$", _hello),
    (rf"^{_WISH}( ({_WISH}|por todo))*$", _thanks),
    (r"\b(conviene|compar\w+|diferencia|mas (barat|economic)\w+|mejor precio)\b", _compare),
    (r"\b(horarios?|abren|abierto|cierran|atienden|sucursal|tarjeta|formas? de pago|envios?|delivery)\b", _fact),
    (r"", _category),
    (r"\b(menu|ayuda|opciones|categorias|catalogo)\b|\bque (cosas )?(venden|vendes|tienen|tenes|hay)$", _menu),
    (REMOVE, _remove),
    (CHANGE, _change),
    (r"\b(saber|precio|cuanto (sale|cuesta|vale|esta))\b", _search),
    (rf"{ADD}|^((hola|y|ah|si|dale|bueno|tambien|che) )*{COUNT}", _add),
    (r"\b(hay|tenes|tienen|tendran|busco|buscando|venden|vendes)\b", _search),
    (r"", lambda ask: _search(ask) if ask.products else None),
    (rf"\b{_WISH}\b", _thanks),
    (rf"\b{_GREET}\b", _hello),
)
_RULES = tuple((re.compile(pattern), respond) for pattern, respond in _TABLE)

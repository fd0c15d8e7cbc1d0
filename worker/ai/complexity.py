"""How hard a message is to answer, and whether it means the same in every session. Pure thought, first cut.

Patterns are matched against the normalised text (`worker.ai.language`): trimmed, lower case, without accents.
"""

from __future__ import annotations

import re

from worker.ai.language import normalised

SIMPLE, MEDIUM, COMPLEX = "simple", "medium", "complex"
#: Longer texts (characters) tell a story, and a story needs the best model.
LONG_TEXT_CHARS = 220

GREETING = r"(hola|buenas|buenos dias|buen dia|buenas tardes|buenas noches|hey|que tal|como (estas|andas|va))"
THANKS = r"((muchas |mil )?gracias|genial|perfecto|barbaro|dale|ok|okey|listo)"
FAREWELL = r"(chau|adios|hasta (luego|manana|pronto)|nos vemos)"
MENU = r"(menu|ayuda|opciones|que (puedo|podes) hacer|como funciona(s)?)"
HOURS = r"((cual es el )?horario( de atencion)?|a que hora (abren|cierran)|(estan|esta) abiertos?|donde (estan|queda))"
CATEGORIES = r"((que )?categorias( hay| tienen| tenes)?|que (productos )?(venden|tienen|hay)|catalogo|productos)"

ANSWER = re.compile(r"(si|no|sip|nop|bueno|claro|ese|esa|eso|ese mismo|el \w+|la \w+|\d+)")
SMALL_TALK = re.compile(rf"{GREETING}( {GREETING})*|{THANKS}( {THANKS})*|{FAREWELL}|{THANKS} {FAREWELL}")
#: "dale", "ok" and "listo" may confirm an order: only what confirms nothing is the same for everybody.
SHARED_TALK = re.compile(rf"{GREETING}( {GREETING})*|(muchas |mil )?gracias|((muchas |mil )?gracias )?{FAREWELL}")
FIXED_QUESTION = re.compile(rf"({GREETING} )?({MENU}|{HOURS}|{CATEGORIES})")
ADVICE = re.compile(
    r"\b(recomend\w+|conviene\w*|compar\w+|diferencia|mejor|peor|receta|preparar|cocinar|reclamo|queja|devolucion"
    r"|problema|no (me )?llego|vencid\w+|equivocad\w+|por que|presupuesto|oferta para|alternativa\w*)\b"
)
#: A question about a product that names it: what follows may not point back at anything said before.
PRODUCT_QUESTION = re.compile(
    r"(?:(?:hola|buenas|buen dia|buenos dias|buenas tardes|buenas noches) )?"
    r"(?:tenes|tienen|tiene|hay|venden|vende|busco|buscando|ando buscando|precio de|precio|que precio tiene"
    r"|cuanto (?:sale|salen|cuesta|cuestan|vale|valen|esta|estan)|a cuanto (?:esta|estan)|tendran|tendras)"
    r" (?P<what>.+)"
)
#: Words that lean on the conversation: pronouns, ordinals, "another", "the same", the cart, the order.
POINTING = re.compile(
    r"\b(es[eoa]s?|est[eoa]s?|aquel\w*|l[oa]s?|le|les|me|mi|mis|otr[oa]s?|mism[oa]s?|mas|tambien|ademas|entonces|ahi"
    r"|primer[oa]?|segund[oa]|tercer[oa]?|ultim[oa]|anterior|ya|todavia|aun|carrito|pedido|pedi|compra|envio|direccion"
    r"|sum\w+|agreg\w+|sac\w+|quit\w+|quiero|dame|mandame|anota\w*|ponme|poneme|y|o|pero)\b"
)
ARTICLES = re.compile(r"^(?:el|la|los|las|un|una|unos|unas|algun|alguna|de|del) ")
#: A word that can name a product; numbers and particles alone name nothing.
NAMING = re.compile(r"\b(?!(?:del|con|sin|para|por|que|las|los)\b)[a-zñ]{3,}")


def complexity(text: str) -> str:
    """`simple`, `medium` or `complex`."""
    plain = normalised(text)
    if ADVICE.search(plain) or len(plain) > LONG_TEXT_CHARS:
        return COMPLEX
    if not plain or ANSWER.fullmatch(plain) or SMALL_TALK.fullmatch(plain) or FIXED_QUESTION.fullmatch(plain):
        return SIMPLE
    return MEDIUM


def means_the_same_everywhere(text: str) -> bool:
    """Whether an answer made without the session fits every customer. In doubt no: a wrong yes would give one customer
    an answer that was meant for another's conversation.
    """
    plain = normalised(text)
    if "\n" in text.strip() or not plain:
        return False
    if SHARED_TALK.fullmatch(plain) or FIXED_QUESTION.fullmatch(plain):
        return True
    question = PRODUCT_QUESTION.fullmatch(plain)
    if question is None:
        return False
    what = ARTICLES.sub("", question["what"])
    return NAMING.search(what) is not None and POINTING.search(what) is None

"""Refusing words that claim what nothing stands behind: figures that stand in no fact, and things said to be done.

A change, an order, a discount or a delivery is told by us, from what was committed. What is asked, or denied, is no
claim. Pure: no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import orjson

from worker.replies.decision import RefusedChange
from worker.replies.figures import unfounded_figure
from worker.replies.prompt import FACTS_BEGIN
from worker.session.outcome import Decision

#: Accents tell: "agregué" is done, "agregue" is only spoken of.
_VERBS = r"(?:agreg|sum|añad|anot|carg|met|sac|quit|elimin|borr|retir|vaci|modific|actuali[cz])"
_FIRST = r"(?:^|[.!¡,:;\n])[^\S\n]*+(?:(?:ya|ahora|dale|bueno|perfecto|ok|enseguida)[ ,]+)*+"
CLAIMING = re.compile(
    rf"\b{_VERBS}(?:u?é|í|amos|imos|i?ó|aron|ieron|ad[oa]s?|id[oa]s?)\b"
    r"|\b(?:saqué|modifiqué|dejé|cambié|incluí|reservé|aparté|separé|puse|pusimos|puest[oa]s?)\b"
    r"|\bse (?:cambió|cambiaron|incluyó|incluyeron|puso|pusieron)\b|\bincluid[oa]s? en (?:tu|su|el) (?:carrito|pedido)"
    r"|\bya están? (?:en (?:tu|su)|hech|list)|\b(?:tu|su) carrito ahora\b|\bacab(?:o|amos) de \w+(?:ar|er|ir)\w*"
    rf"|{_FIRST}(?:listo|hecho)\b(?! para| cuando)"
    rf"|{_FIRST}(?:[ts]e |le )?(?:l[oa]s? )?(?:agrego|sumo|anoto|añado|pongo|cargo|saco|quito)\b"
)
#: What is only offered: "decime cuántas y te las sumo".
_OFFERED = re.compile(
    r"\b(?:si|cuando|así|dec[ií]me|d[ií]me|d[ií]game|avisame|avísame|confirm[aá]me|cu[aá]ntas?|cu[aá]l)\b"
)
_NOT = r"(?:no|ni|nunca|tampoco|ning[uú]n[ao]?|todav[ií]a no|a[uú]n no)"
DENYING = re.compile(rf"\b(?:{_NOT}|sin)(?: (?:te|me|se|l[aoe]s?|he|hemos|ha|han|fue|fueron|qued\w+|está|están))* \w+")
_DENIED = re.compile(rf"\b{_NOT}\b")
#: "No te preocupes" denies nothing.
_COURTESY = re.compile(
    r"\bno (?:hay|es) (?:ning[uú]n )?(?:problema|drama|molestia|apuro)s?|\bno (?:te|se) preocup\w+|\bc[oó]mo no\b"
)
_WHOLE = r"\b(?:pedido|compra|orden|encargo|reserva)\b"
_PLACED = re.compile(
    rf"{_WHOLE}[^.!?\n]{{0,40}}\b(?:confirmad|registrad|realizad|hech|tomad|procesad|generad|cread|cancelad|anulad)"
    r"|\b(?:confirm|registr|proces|program|agend|cancel|anul)(?:é|amos|ó|aron)\b"
    rf"|{_FIRST}confirmad[oa]s?\b|\bgracias por (?:tu|su|la) (?:compra|pedido|orden)\b"
)
_SENT = re.compile(
    rf"{_WHOLE}[^.!?\n]{{0,40}}\b(?:despachad|enviad|en camino|en preparaci[oó]n|saliendo|sali[oó]|program|agendad"
    r"|est[aá]n? list)|\b(?:despach|envi|mand|cobr)(?:é|ó|aron)\b|\b(?:enviamos|mandamos|cobramos) (?:tu|su|el) "
    r"|\bpago\b[^.!?\n]{0,20}\b(?:recibid|acreditad|aprobad|confirmad)|\brecibimos (?:tu|su|el) pago\b"
    r"|\bya pod[eé]s (?:pasar|retirar)|\btodo listo\b|\bya cobramos\b|\b(?:est[aá]|va|sali[oó]|sale) en camino\b"
)
_BEFORE_IT_IS_SO = re.compile(
    r"\b(?:una vez|cuando|si |para que|antes de|despu[eé]s de|al confirmar|quer[eé]s|quieres|desea|apenas|luego)"
)
_FREE = r"gratis|gratuit[oa]|sin (?:cargo|costo)|bonificad[oa]"
_DISCOUNT = re.compile(rf"descuento|rebaj|promo|oferta|regal|cup[oó]n|2x1|3x2|llev\w+ \d+ y pag\w+ \d+|{_FREE}")
_DELIVERY = re.compile(r"\b(?:env[ií]os?|delivery|domicilio|reparto|entregas?)\b")
_DAY = (
    r"\b(hoy|mañana|ahora mismo|enseguida|en un rato|esta (?:tarde|noche|mañana)|pasado mañana"
    r"|en (?:media|una?|dos|tres|un par de|unos|unas|poc[oa]s) (?:horas?|minutos?|momentos?|d[ií]as?))\b"
)
_COMES = r"(?:llega|llegar[aá]n?|entreg\w+|env[ií]\w+|mand\w+|llev\w+|recib\w+|sale)"
_DELIVERED = re.compile(rf"\b{_COMES}\b[^.!?\n]{{0,60}}?{_DAY}|{_DAY}[^.!?\n]{{0,40}}\b{_COMES}\b")
_NUMBER_WORD = re.compile(
    r"\b(?:cien|mil|diez|veinte|treinta|cuarenta|cincuenta|sesenta|setenta|ochenta|noventa|\w+cient[oa]s|quinient[oa]s)"
    r" (?:pesos|soles|euros|d[oó]lares|lucas)\b"
)
_PART = re.compile(r"[,;:]| pero ")
#: A denial stands no further before what it denies.
_LOOKED_BACK = 160
_ASKED = re.compile(r"¿[^?]*\?")
#: The point of a figure ends none.
_SENTENCE = re.compile(r"(?:[^.!?\n]|(?<=\d)\.(?=\d))*[.!?\n]?")


def check_claims(decision: Decision, user: str, system: str, *, changes: bool) -> None:
    """Raises RefusedChange for words that claim what nothing stands behind.

    Args:
        user, system: the rendered request: its facts.
        changes: the decision changes the cart, so that its words may say so.
    """
    kind = unfounded_figure(decision.reply, user, system)
    problem = (
        f"names a figure that stands in no fact ({kind})" if kind else _claim(decision.reply, user, system, changes)
    )
    if problem:
        raise RefusedChange(f"reply: {problem}", f"reply: {problem}")


def _claim(reply: str, user: str, system: str, changes: bool) -> str | None:
    facts = orjson.loads(user)
    session = facts.get("session") or {}
    told = [system.partition(FACTS_BEGIN)[2], *(exchange.get("reply", "") for exchange in session.get("history") or [])]
    own = orjson.dumps([facts.get("products"), facts.get("now")]).decode()
    known = "\n".join([*told, own]).lower()
    ordered = session.get("state") == "order_completed"
    for sentence in asserted(reply):
        if not changes and _is_done(sentence):
            return "says that the cart has changed"
        if (not ordered and _claims(_PLACED, sentence)) or _claims(_SENT, sentence):
            return "says that an order was placed or is on its way"
        if any(_is_unfounded(found, known) for found in _undenied(_DISCOUNT, sentence)):
            return "promises a discount that stands in no fact"
        if any(not _is_delivered(found, known) for found in _undenied(_DELIVERED, sentence)):
            return "promises a time of delivery that stands in no fact"
        if _NUMBER_WORD.search(sentence):
            return "names a price in words"
    return None


def asserted(reply: str) -> Iterable[str]:
    """The sentences of a reply in small letters, without what they ask and without courtesies."""
    for sentence in _SENTENCE.findall(_ASKED.sub(" ", reply.lower())):
        # Who leaves out the first question mark asks with the last words.
        said = sentence.rpartition(",")[0] if sentence.rstrip().endswith("?") else sentence
        if said.strip():
            yield _COURTESY.sub(" ", said)


def _is_done(sentence: str) -> bool:
    return bool(CLAIMING.search(DENYING.sub("", sentence))) and not _OFFERED.search(sentence)


def _claims(pattern: re.Pattern[str], sentence: str) -> bool:
    return not _BEFORE_IT_IS_SO.search(sentence) and any(True for _ in _undenied(pattern, sentence))


def _undenied(pattern: re.Pattern[str], sentence: str) -> Iterable[re.Match[str]]:
    """Matches that are not denied, within their own words or before them in the same part of the sentence."""
    for match in pattern.finditer(sentence):
        before = _PART.split(sentence[max(0, match.start() - _LOOKED_BACK) : match.start()])[-1]
        if not _DENIED.search(f"{before}{match[0]}"):
            yield match


def _is_unfounded(found: re.Match[str], known: str) -> bool:
    if (
        re.fullmatch(_FREE, found[0])
        and _DELIVERY.search(found.string)
        and re.search(r'"free_from"|"fee":"[^"\d]*0(?:[.,]0+)?\b', known)
    ):
        return False
    return found[0] not in known


def _is_delivered(found: re.Match[str], known: str) -> bool:
    day = found[1] or found[2]
    today = day in ("hoy", "esta tarde", "esta noche") and re.search(r'"delivery_today":(?:true|\{[^}]*true)', known)
    return bool(today) or re.search(rf"\b{re.escape(day)}\b", known) is not None

"""Symbols that `normalised` leaves out although they may change what is asked.

In doubt they do: a question that is not shared costs a call of a model; one that is shared wrongly tells a customer
what another one had asked for.
"""

import re
import unicodedata

from worker.language.goods import PICTURES
from worker.language.normalise import EMOTICONS, INVISIBLE, SPOKEN, SPOKEN_SIGNS, STANDING_APART

#: Faces, hands, red hearts, sun, moon, stars and festivity; no things, food, colours, crosses, arrows or flags.
_FEELINGS = (
    "\U0001f600-\U0001f644\U0001f646-\U0001f64f\U0001f910-\U0001f92f\U0001f970-\U0001f974\U0001f979\U0001f97a\U0001f9d0"
    "\U0001fae0-\U0001fae8\U0001faf6\U0001f493-\U0001f498\U0001f49d-\U0001f49f\u2764\u2665\u263a\u2639"
    "\U0001f319\U0001f31b\U0001f31c\U0001f440\U0001f44a-\U0001f44d\U0001f44f\U0001f450\U0001f4aa\U0001f937\u270a-\u270c"
    "\U0001f6d2\u2728\U0001f389\U0001f38a\U0001f31e\U0001f31f\u2600\u2b50\U0001f3fb-\U0001f3ff\u20e3"
    "\u2753-\u2755\u2757\u203c\u2049"
)
#: What makes a woman or a man of a face.
GENDER = re.compile("\u200d[\u2640\u2642]")
_PUNCTUATION = r".,;:?!¿¡\"'´`’‘“”«»()\[\]…°ºª%$€*/"
_KEPT = STANDING_APART.pattern.strip("[]")
_FIGURE = r"[\d½¼¾⅓⅔⅛]"
TELLING = re.compile(
    rf"[^\w\s{_PUNCTUATION}{_KEPT}{_FEELINGS}-]"
    # A minus or a cross out: "-sal", "leche (-azucar)", "!vino". Between letters it joins a word.
    r"|(?<![^\W_])-|-\d|\d-|(?<=\s)!+(?=\w)"
    # Half a kilo is ".5 kg"; and between figures every sign makes another number, but for one that stands close.
    rf"|(?<![\w.,!?])[.,](?=\d)|\d[*_]|[*_]\d|{_FIGURE}(?!(?<=\d)[.,:/'’´]\d)\s*[^\w\s]+\s*{_FIGURE}"
    r"|\b(?:con|sin|y|o)/|/(?:con|sin|y|o)\b"
)


def may_tell(text: str, plain: str = "") -> bool:
    """Returns whether the text as it was written has a sign that may make it another question than its words alone; one
    that pictures what the normalised text names does not: "hay pan 🍞?".
    """
    whole = GENDER.sub("", unicodedata.normalize("NFC", _without_pictures(text, plain).lower()))
    plain = SPOKEN_SIGNS.sub(lambda found: SPOKEN[found[1] or found[2]], EMOTICONS.sub(" ", whole))
    return TELLING.search(plain.translate(INVISIBLE)) is not None


def _without_pictures(text: str, plain: str) -> str:
    if text.isascii():
        return text
    told = set(map(_beginning, plain.split()))
    return "".join([sign for sign in text if told.isdisjoint(map(_beginning, PICTURES.get(sign, ())))])


def _beginning(name: str) -> str:
    """Part of a word that its singular and plural have in common."""
    return name.removesuffix("s").removesuffix("e")

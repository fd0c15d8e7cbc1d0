"""Whether a message holds signs that `normalised` leaves out although they may change what is asked. Pure thought.

In doubt they do: a question that is not shared costs a call of a model; one that is shared wrongly tells a customer
what another one had asked for.
"""

from __future__ import annotations

import re

from worker.ai.language import EMOTICONS, INVISIBLE, SPOKEN, SPOKEN_SIGNS, STANDING_APART

#: Faces, hands, hearts, sun, stars and festivity; no things, food, crosses, arrows or flags.
_FEELINGS = (
    "\U0001f600-\U0001f644\U0001f646-\U0001f64f\U0001f910-\U0001f92f\U0001f970-\U0001f97a\U0001f9d0"
    "\U0001f493-\U0001f49f\U0001f5a4\U0001f90d\U0001f90e\U0001f9e1\u2764\u2665\u263a\u2639"
    "\U0001f440\U0001f44a-\U0001f44d\U0001f44f\U0001f450\U0001f4aa\U0001f937\u270a-\u270c\u2640\u2642"
    "\U0001f6d2\u2728\U0001f389\U0001f38a\U0001f31e\U0001f31f\u2600\u2b50\U0001f4af\U0001f3fb-\U0001f3ff\u20e3"
)
_PUNCTUATION = r".,;:?!¿¡\"'´`’‘“”«»()\[\]…°ºª%$€*/"
_KEPT = STANDING_APART.pattern.strip("[]")
TELLING = re.compile(
    rf"[^\w\s{_PUNCTUATION}{_KEPT}{_FEELINGS}-]"
    # A minus or a cross out: "-sal", "leche (-azucar)", "!vino". Between letters it joins a word.
    r"|(?<![^\W_])-|-\d|\d-|(?<!\S)!+(?=\w)"
    # Half a kilo is ".5 kg"; and between digits every sign makes another number.
    r"|(?<!\w)[.,](?=\s*\d)|\d[*_]|[*_]\d|\d[^\w\s.,:%'’´°º]\s*\d"
    # "con/sin"; "1/2" is a number.
    r"|(?<=[^\W\d])/|/(?=[^\W\d])"
)


def may_tell(text: str) -> bool:
    """Whether the text as it was written has a sign that may make it another question than its words alone."""
    plain = SPOKEN_SIGNS.sub(lambda found: SPOKEN[found[1] or found[2]], EMOTICONS.sub(" ", text.lower()))
    return TELLING.search(plain.translate(INVISIBLE)) is not None

"""Short answers and small talk, which any model can handle; whole sentences of normalised text."""

from __future__ import annotations

import re

from worker.language.phrases import BYE, GREETING, HELLO, HOW_ARE_YOU, THANKS, either
from worker.language.vocabulary import ANSWER_WORDS

MAX_ANSWER_WORDS = 7
FIGURE = re.compile(r"\d+(?:[.,/]\d+)?(?:[a-z]{2})?")
#: Short questions back, laughter, exclamations, and "it is all the same to me".
REACTION = re.compile(
    either(
        """
        (?:si|no) quiero|(?:y )?(?:como|cual|cuales|que|cuando|donde|quien|por que)|(?:a?(?:ja|je|ji|ha){2,}+[jh]? ?)++
        que (?:bueno|bien|lindo|rico|pena|lastima|genio|grande|capo)|me (?:da igual|da lo mismo|parece(?: bien)?)
        """
    )
)
_AGREED = r"(?:ah|ok|listo|perfecto|genial|dale|bueno|joya|buenisimo|excelente|vale|ya|super|barbaro)"
_INTRODUCTION = r"(?:de nuevo|otra vez|(?:soy|me llamo|te habla|habla) \w+(?: \w+)?)"
#: Thanks that may also confirm something, and a greeting with a name. Atomic: one word may be both hello and goodbye.
CHAT = re.compile(
    rf"(?:{_AGREED} )*(?:{THANKS}|{BYE})(?> (?:(?:y )?(?:{THANKS}|{BYE}|{GREETING}|{HOW_ARE_YOU})|igual(?:mente)?)\b)*"
    rf"|{HELLO}(?: {_INTRODUCTION})?"
)
#: Small talk need not be known word by word if it begins like this and is short.
_CHATTY = re.compile(rf"(?:{HELLO}|(?:{THANKS}|{BYE})|ola)\b")
MAX_CHAT_WORDS = 7


def is_chat(plain: str) -> bool:
    """Returns whether a normalised text without any topic is likely small talk."""
    return bool(_CHATTY.match(plain)) and plain.count(" ") < MAX_CHAT_WORDS


def is_answer(plain: str) -> bool:
    """Returns whether a normalised text is a mere answer: yes, no, a number, a place in a list, "that one"."""
    words = plain.split()
    return bool(REACTION.fullmatch(plain)) or (
        len(words) <= MAX_ANSWER_WORDS and all(word in ANSWER_WORDS or FIGURE.fullmatch(word) for word in words)
    )

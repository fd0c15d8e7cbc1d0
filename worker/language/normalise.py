"""Normaliser of Spanish as it is written on WhatsApp, and signs that it leaves out although they may tell something."""

import unicodedata

from worker.language.patterns import patterns_of, rewritten, rules_of
from worker.language.spelling import stem
from worker.language.vocabulary import PARTS, PICTURES, SHORT_FORMS, SPELLINGS, UNITS

#: Letters of the longest word that is looked at. The dictionary of the Real Academia Española has none of more than 23
#: ("electroencefalografista"), and `search_words` keeps what the catalogue is called by up to 30 (`add_search_words`).
LONGEST_WORD = 30
#: Whole sentences of Arabic in one sign, which Unicode takes apart into 18 and 8 letters; no other makes more than 7.
_LIGATURES = dict.fromkeys(map(ord, "\ufdfa\ufdfb"), " ")
#: Marks that telephones put between letters and nobody sees.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufe0e\ufe0f\ufeff"))
#: Courtesies within each other ("por por favor favor"): a sentence has none, and each would cost another reading.
MOST_PASSES = 6
#: Signs and letters that are words: "s/ sal" is "sin sal", "k" is "que".
_SPOKEN = {"s/": "sin ", "c/": "con ", "p/": "para ", "+": " mas ", "➕": " mas ", "=": " igual "}
_LETTERS = {"k": "que", "d": "de", "p": "para", "x": "por"}
_P, _RULES = patterns_of(__file__, PARTS), rules_of(__file__)
#: Signs whose plain form is remembered; a shop's customers use fewer.
MOST_SIGNS = 2_000


def _decomposed(text: str) -> str:
    """The text without combining signs and ligatures; letters that are capitals only in disguise become plain ones."""
    plain = unicodedata.normalize("NFKD", text.translate(_LIGATURES)).replace("n\u0303", "ñ").replace("N\u0303", "Ñ")
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


class _PlainSigns(dict[int, str]):
    """Signs and their plain forms, a table for `str.translate` that grows as it is used."""

    def __missing__(self, code: int) -> str:
        plain = _decomposed(chr(code))
        if len(self) < MOST_SIGNS:
            self[code] = plain
        return plain


_PLAIN_SIGNS = _PlainSigns()


def without_accents(text: str) -> str:
    """Lowers the case and removes accents; ñ stays a letter of its own, since "año" is not "ano"."""
    if text.isascii():
        return text.lower()
    # "ñ" may come as one sign or two.
    return (_decomposed(text) if "\u0303" in text else text.translate(_PLAIN_SIGNS)).lower()


def normalised(text: str) -> str:
    """Returns one form for texts that differ only in case, accents, space, punctuation, emoji, stretched letters, usual
    abbreviations, spellings of one unit, and courtesies that change nothing.

    Numbers, units, "con", "sin" and negations always stay: "sin sal" is not "con sal", nor "2 kg" "3 kg". Signs go
    that may tell something ("> 5000"); who compares forms asks `may_tell` first.
    """
    plain = _read(_spelled_out(text))
    for _ in range(MOST_PASSES):
        shorter = " ".join(_P["opening"].sub(lambda found: found[1], _P["courtesy"].sub(" ", plain)).split())
        if not shorter or shorter == plain:
            break
        # What stood behind a courtesy may have come to the front.
        plain = _read(shorter)
    return plain


def name_in_full(name: str) -> str:
    """The normalised name of a product, with the words in full that price lists cut short: "PAPEL HIG." is "papel
    higienico".
    """
    return " ".join([SHORT_FORMS.get(word, word) for word in normalised(name).split()])


def _spelled_out(text: str) -> str:
    """Keeps letters, digits and meaningful signs, with single spaces."""
    plain = without_accents(_apart(rewritten(text, _RULES["number_signs"]))).replace("\u2044", "/")
    plain = _P["standing_apart"].sub(lambda found: f" {found[0]} ", _P["noise"].sub(" ", _with_spoken_signs(plain)))
    return " ".join(plain.split())


def _apart(text: str) -> str:
    """Sets fractions and raised figures apart, since "1½" taken to pieces would read 11/2; drops invisible marks."""
    if text.isascii():
        return text
    seen = text.translate(_INVISIBLE)
    return "".join([f" {sign} " if sign.isnumeric() and not sign.isdecimal() else sign for sign in seen])


def _with_spoken_signs(text: str) -> str:
    """A text without emoticons, and with words for the signs that are spoken."""
    return _P["spoken"].sub(lambda found: _SPOKEN[found[1] or found[2]], _P["emoticon"].sub(" ", text))


def _read(plain: str) -> str:
    plain = _P["stretched"].sub(lambda found: found[2] or found[3] or found[0], rewritten(plain, _RULES["close"]))
    plain = _P["please"].sub("por favor", " ".join([SPELLINGS.get(word, word) for word in plain.split()]))
    plain = _P["silent_h"].sub(lambda found: "hola" if found[1] else "hay", plain)
    plain = _P["single_letter"].sub(lambda found: _LETTERS[found[1] or found[2]], plain)
    return in_usual_units(plain)


def in_usual_units(plain: str) -> str:
    """A text with the units behind figures as they are usually written: "2 kilos" is "2 kg"."""
    return _P["unit"].sub(lambda found: f" {UNITS[found[1]]}", plain)


def is_courtesy(word: str) -> bool:
    """Returns whether a word without accents is dropped as a courtesy or a laugh."""
    return _P["courtesy"].fullmatch(word) is not None


def may_tell(text: str, plain: str = "") -> bool:
    """Returns whether the text as it was written has a sign that may make it another question than its words alone; one
    that pictures what the normalised text names does not: "hay pan 🍞?". In doubt it has: a question that is not shared
    costs a call of a model; one that is shared wrongly tells a customer what another one had asked for.
    """
    whole = _P["gender"].sub("", unicodedata.normalize("NFC", _without_pictures(text, plain).lower()))
    return _P["telling"].search(_with_spoken_signs(whole).translate(_INVISIBLE)) is not None


def _without_pictures(text: str, plain: str) -> str:
    if PICTURES.keys().isdisjoint(text):
        return text
    told = set(map(stem, plain.split()))
    return "".join([sign for sign in text if told.isdisjoint(map(stem, PICTURES.get(sign, ())))])

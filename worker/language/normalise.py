"""Normaliser of Spanish as it is written on WhatsApp."""

import re
import unicodedata

from worker.language.vocabulary import SPELLINGS, UNITS

#: Letters of the longest word that is looked at. The dictionary of the Real Academia Española has none of more than 23
#: ("electroencefalografista"), and `search_words` keeps what the catalogue is called by up to 30 (`add_search_words`).
LONGEST_WORD = 30
#: Whole sentences of Arabic in one sign, which Unicode takes apart into 18 and 8 letters; no other makes more than 7.
LIGATURES = dict.fromkeys(map(ord, "\ufdfa\ufdfb"), " ")
#: Marks that telephones put between letters and nobody sees.
INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufe0e\ufe0f\ufeff"))
#: "<3" stands last: before anything else it could be "less than 3".
EMOTICONS = re.compile(r"(?<!\w)[:;=]['-]?[)(dpo]+(?!\w)|<3+(?=\W*$)")
#: "N°" must not become "no", nor "1°" become 1; "1'5 l" is how Spain writes "1,5 l".
NUMBER_SIGNS = (
    (re.compile(r"\bn\s?[°º]", re.IGNORECASE), " numero "),
    (re.compile(r"(?<=\d)\s?[°º]"), "o"),
    (re.compile(r"(?<=\d)['’´](?=\d)"), ","),
)
#: Signs that are words: "s/ sal" is "sin sal".
SPOKEN = {"s/": "sin ", "c/": "con ", "p/": "para ", "+": " mas ", "➕": " mas ", "=": " igual "}
SPOKEN_SIGNS = re.compile(r"\b([scp]/)\s*(?=[^\W\d_]{2})|([+➕=])")
#: Between digits some signs are part of the number ("1,5 l", "1/2 kg"); "%", money and forbidding emoji mean something
#: wherever they stand; all other signs go.
NOISE = re.compile(r"(?<!\d)[.,/:-]|[.,/:-](?!\d)|[^\w\s.,/:%$€🚫❌⛔✖➖👎-]|_")
STANDING_APART = re.compile(r"[$€🚫❌⛔✖➖👎]")
PERCENT = re.compile(r"(?<=\d) (?=%)")
#: These two are double in many words: "arrrroz", "polllo".
MAYBE_DOUBLE = re.compile(r"(?<=[aeiou])([lr])\1{2,}(?=[aeiou])")
#: A word of one letter only is a size ("pilas AAA"), and so is a run of x ("talle XXXL"); no word ends in aa, ii, uu.
STRETCHED = re.compile(r"\b([^\W\d_])\1+\b|([^\W\d_x])\2{2,}|(?<=[^\W\d_])([aiu])\3\b")

PLEASE = re.compile(r"\bpor ?fa(?:vor(?:cito)?|bor|cito|s)?\b|\bporfis\b|\bx ?fa(?:vor|s)?\b|\bpl[iz]?[sz]\b")
LETTERS = {"k": "que", "d": "de", "x": "por"}
#: What can be read in one way only beside certain words: "vitamina k", "2 k" and "talle d" stay.
SINGLE_LETTERS = re.compile(
    r"(?<!vitamina )(?<!talle )(?<!tipo )(?<!\d )\b([kd])\b(?= \w)"
    r"|\b(x)\b(?= (?:kilo|kg|unidad|docena|mayor|menor|que|k|litro|persona|casualidad|la|tu|su|todo|aca)\b)"
)
SILENT_H = re.compile(r"^(?:(ola)\b|ay\b(?= \w))|(?<=\bsi )ay\b")
UNIT = re.compile(rf"(?<=\d) ?({'|'.join(UNITS)})\b")
_GREETING = r"(?:(?:hola|buenas(?: tardes| noches)?|buenos dias|buen dia) )*"
_QUESTION = (
    r"(?:tenes|tienes|tienen|tendr\w+|hay|habra|venden?|vendes|cuanto|a (?:cuanto|como|que)|en cuanto|que|cual\w*"
    r"|precios?|donde|hacen|aceptan|se puede|sab(?:es|en)?|me (?:dec|dic|pod|pued)\w+|queria|quisiera|busco)"
)
#: Courtesies and laughter change nothing; an apology or "una consulta" does not where a question follows.
COURTESY = re.compile(r"\b(?:por favor|che|(?:por|de) casualidad|a?(?:ja|je|ji|ha){2,}[jh]?|x+d+)\b")
#: Courtesies within each other ("por por favor favor"): a sentence has none, and each would cost another reading.
MOST_PASSES = 6
OPENING = re.compile(
    rf"^({_GREETING})(?:(?:disculp(?:a|e|en|ame|eme)|perdon(?:a|e|en|ame)?"
    rf"|(?:[tl]es? hago )?una (?:consult|pregunt)(?:a|ita)) )+(?={_QUESTION}\b)"
)


#: Signs whose plain form is remembered; a shop's customers use fewer.
MOST_SIGNS = 2_000


def _decomposed(text: str) -> str:
    """The text without combining signs and ligatures; letters that are capitals only in disguise become plain ones."""
    plain = unicodedata.normalize("NFKD", text.translate(LIGATURES)).replace("n\u0303", "ñ").replace("N\u0303", "Ñ")
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
    that may tell something ("> 5000"); who compares forms asks `worker.language.symbols` first.
    """
    plain = _read(_spelled_out(text))
    for _ in range(MOST_PASSES):
        if (shorter := _without_fillers(plain)) == plain:
            break
        # What stood behind a courtesy may have come to the front.
        plain = _read(shorter)
    return plain


def _spelled_out(text: str) -> str:
    """Keeps letters, digits and meaningful signs, with single spaces."""
    for sign, word in NUMBER_SIGNS:
        text = sign.sub(word, text)
    plain = EMOTICONS.sub(" ", without_accents(_apart(text)).replace("\u2044", "/"))
    plain = SPOKEN_SIGNS.sub(lambda found: SPOKEN[found[1] or found[2]], plain)
    plain = STANDING_APART.sub(r" \g<0> ", NOISE.sub(" ", plain))
    return " ".join(plain.split())


def _apart(text: str) -> str:
    """Sets fractions and raised figures apart, since "1½" taken to pieces would read 11/2; drops invisible marks."""
    if text.isascii():
        return text
    seen = text.translate(INVISIBLE)
    return "".join([f" {sign} " if sign.isnumeric() and not sign.isdecimal() else sign for sign in seen])


def _read(plain: str) -> str:
    """Spells words as usual."""
    plain = PERCENT.sub("", plain)
    plain = STRETCHED.sub(lambda found: found[2] or found[3] or found[0], MAYBE_DOUBLE.sub(r"\1\1", plain))
    plain = " ".join([SPELLINGS.get(word, word) for word in plain.split()])
    plain = SILENT_H.sub(lambda found: "hola" if found[1] else "hay", PLEASE.sub("por favor", plain))
    plain = SINGLE_LETTERS.sub(lambda found: LETTERS[found[1] or found[2]], plain)
    return UNIT.sub(lambda found: f" {UNITS[found[1]]}", plain)


def is_courtesy(word: str) -> bool:
    """Returns whether a word without accents is dropped as a courtesy or a laugh."""
    return COURTESY.fullmatch(word) is not None


def _without_fillers(plain: str) -> str:
    """Drops courtesies, unless nothing else was said."""
    shorter = " ".join(OPENING.sub(r"\1", COURTESY.sub(" ", plain)).split())
    return shorter or plain

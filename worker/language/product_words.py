"""Words by which products are called. Everything is in normalised form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from worker.language.groceries import GROCERIES
from worker.language.normalise import LONGEST_WORD, normalised
from worker.language.search_terms import SMALL_WORDS, TOLD
from worker.language.typos import meant_by, sound_alike
from worker.language.vocabulary import (
    FLAVOURS,
    FORMLESS,
    LEANING,
    MEASURES,
    NAMELESS,
    NAMES_ALL_THE_SAME,
    NAMES_WITH_MORE,
    NOT_LEANING,
    POINTING,
    QUALITIES,
    SECTIONS,
)

#: Alone they name no product, wherever they stand in the name of one.
NO_NAMES = (NAMELESS, NAMES_WITH_MORE, QUALITIES, MEASURES, FLAVOURS, POINTING)
#: What is said in questions; much of it stands in SMALL_WORDS too.
ASKING = frozenset(
    """
    dices dirias decis decirme pasas mandas muestras saben sabras sabrias confirmas averiguas cocinar preparar
    recomiendan recomendarme aconsejas sugieres sugeris cuestan costaria valdria saldria quedan consiguen
    compara comparame comparar chico chica chicos muchas muchos gustaria alguien buenas buenos tardes noches
    gracias hasta luego mañana pronto
    """.split()  # noqa: SIM905  a list of words reads best as words
)
#: Of every day, near the names of things that shops sell: "plata" is no palta, "crema de manos" no Manaos.
EVERYDAY = frozenset(
    """
    abuela abuelo adultos amiga amigo anillo auto barba barrio boda boca bolso brazo cabeza cabra cabello
    calle calor cama campo cara carta casa celular cena cielo cintura cochina cochino codo color copia corazon
    cosa cosas coste crudo cuadro cuello cuenta cuerpo cuna dama dedos dientes dinero dolor dueña dueño edad enero
    escuela espalda esposa esposo estomago falda familia febrero fecha fiesta frio fuego garganta gente gordo gripe
    hermana hermano hogar hombre horno hueso humo invierno jardin jefa jefe juego julio junio labio labios lado lago
    lana libro llave luna luz madera madre mama mamas mano manos manta mar marido marzo medico mesa metal miedo
    moda molino moto mujer mundo muñeca nariz negocio nena nene nieta nieto niña niño noche novia novio nube nueve
    obra ojo ojos oreja padre palo papel parque pared pata patas patio peine pelo perra peso pie piel pierna pies pileta
    pisos placa plano plata playa plaza pluma pobre poder porton prima primo puerta pulpa queja rato raya regla rio
    rodilla ropa rubia rubio rueda ruido sala salas salida salon salud sangre semilla señal silla sobrina sobrino sol
    suegra suelo suerte tarde techo tela tia tio tierra tobillo trabajo traje tren uña uñas vaca vecina vecino ventana
    verano verdeo viaje vida viejo viento zapato zapatos zona
    """.split()  # noqa: SIM905  a list of words reads best as words
)
#: Words that are no slip of another word, whatever the shop sells.
USUAL = frozenset(chain(GROCERIES, NAMES_ALL_THE_SAME, SECTIONS, SMALL_WORDS, ASKING, EVERYDAY, TOLD, *NO_NAMES))
SHORTEST_NAME = 3
#: Among shorter words a slip makes another word too often; of this length only words of a question are put right.
SHORTEST_SLIP = 4
#: Words of which it is remembered what they mean, so that a message is not put right twice.
REMEMBERED = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Goods:
    """names: words trusted to begin the name of something sold here. beginnings: the first two and three words of such
    names. words: all their words. sections: names of the shop's sections, whole.
    """

    names: frozenset[str] = GROCERIES
    beginnings: frozenset[str] = frozenset()
    words: frozenset[str] = GROCERIES
    sections: frozenset[str] = frozenset()

    def mended(self, plain: str) -> str:
        """A normalised text with its slips put right, where only one known word can be meant. A word of more than
        30 letters is no slip of any: to try all that it may be would cost memory with the square of its length.
        """
        return " ".join([_mended(word, self) if len(word) <= LONGEST_WORD else word for word in plain.split()])

    def singular(self, what: str) -> str:
        """A name with each word in the singular, where the shop's own names have it so too."""
        return " ".join([self._singular(word) for word in what.split()])

    def _singular(self, word: str) -> str:
        forms = (word.removesuffix(ending) for ending in ("s", "es"))
        return next((form for form in forms if len(form) >= SHORTEST_NAME and form in self.words), word)


@lru_cache(maxsize=REMEMBERED)
def _mended(word: str, goods: Goods) -> str:
    if len(word) < SHORTEST_SLIP or not word.isalpha() or _is_any(word, goods.words) or _is_any(word, USUAL):
        return word
    return meant_by(word, (ASKING, SMALL_WORDS, goods.words), lambda meant: _can_mean(word, meant))


def _can_mean(typed: str, meant: str) -> bool:
    if meant in ASKING or meant in SMALL_WORDS:
        return len(meant) > SHORTEST_SLIP or len(typed) > SHORTEST_SLIP
    return min(len(typed), len(meant)) > SHORTEST_SLIP and not sound_alike(typed, meant)


#: What any shop sells.
USUAL_GOODS = Goods()


def goods_of(names: Iterable[str], sections: Iterable[str] = ()) -> Goods:
    """Collects the words by which the products of these names are called: the first word of a name, if names begin with
    it at least as often as they have it elsewhere. What a thing is called comes first in Spanish; a word that mostly
    comes later says how it is.
    """
    split = [words for name in names if (words := normalised(name).split())]
    begins = Counter(first for first, *_ in split)
    elsewhere = Counter(word for _, *others in split for word in set(others))
    called = {word for word, count in begins.items() if _can_name(word, count, elsewhere[word])}
    known = {word for word in chain(begins, elsewhere) if len(word) >= SHORTEST_NAME and word.isalpha()}
    beginnings = {" ".join(words[:count]) for words in split for count in (2, 3) if len(words) >= count}
    return Goods(GROCERIES | called, frozenset(beginnings), GROCERIES | known, frozenset(map(normalised, sections)))


def _can_name(word: str, begins: int, elsewhere: int) -> bool:
    if len(word) < SHORTEST_NAME or not word.isalpha() or begins < elsewhere:
        return False
    if FORMLESS.fullmatch(word) and elsewhere:
        return False
    leaning = LEANING.fullmatch(word) and word not in NOT_LEANING
    return not leaning and not any(_is_any(word, kind) for kind in NO_NAMES)


def _is_any(word: str, words: frozenset[str]) -> bool:
    return word in words or word.removesuffix("s") in words or word.removesuffix("es") in words

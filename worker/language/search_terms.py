"""Search terms of a message, for the catalogue."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from worker.language.memory import remembered
from worker.language.normalise import LONGEST_WORD, normalised

MAX_TERMS = 5
MAX_WORDS = 8
#: With the sizes that stand behind a name; `term_words` reads no more.
MAX_TERM_WORDS = 12
#: What people say around the names of products, accents removed. A word that is missing here costs little: a search
#: also finds products that have only some of its words.
SMALL_WORDS = frozenset(
    """
    a abierto abiertos abren aca agrega agregale agregame agregar ah ahi ahora al algo algun alguna algunas
    algunos alla ando anota anotame anotar articulo articulos atencion aun añade añadir barata baratas barato
    baratos barbaro bien borra borrar buen buena buenas buenisimo buenos busca buscando buscar busco cambia
    cambiar carrito categoria categorias che cierran clase clases como compara comparar compra comprar compras
    compre compro conseguir consigo consulta consultar consulto conviene cosa cosas cual cuales cualquier cuando
    cuanta cuantas cuanto cuantos cuesta cuestan da dale dame dar de decime decir dejame del deme demora denme
    deseo dia dias dice diferencia dime direccion disculpa disculpe disponible disponibles domicilio donde e
    economica economico efectivo el elimina eliminar ella ellas ellos en encargar encargo entonces entrega
    entregan envian enviar envio envios eras es esa esas ese eso esos esta estaba estan estar estas este esto
    estos estoy existe factura favor fijate fue genial gracias gustaria ha haber habia habra hace hacen hacer
    haces hacia hago han hasta hay hola hora horario horarios hoy humano igual ir la las le les lista listo lo
    los luego manda mandame mandar mandarme mande mandes manejan marca marcas me mejor mejores mercadopago mi
    mis misma mismo mostrame mostrar mucha muchas mucho muchos muy nada necesitaba necesitamos necesitaria
    necesito ni ninguna ninguno no noches nos nosotros oferta ofertas ok oka okey opcion opciones os otra otras
    otro otros pagar pago pagos para pasa pasame pasar pedido pedir pedirte perdon perfecto pero persona pesos
    pido podes podran podria podrian podrias pon poneme poner ponme por porfa porfavor porfis porque precio
    precios preciso prefiero pregunta preguntar primera primero producto productos promo promocion promociones
    promos puede pueden puedes puedo pues q que queda quedan queja queres queria queriamos quien quiere quieren
    quieres quiero quisiera quisieramos quita quitame quitar reclamo recomendarias recomendas recomienda
    recomiendas retirar rica rico ricos s saber sabes saca sacame sacar sale salen se sea segunda segundo ser
    seria señor señora si sii sino solo somos son soy stock su sucursal suelen suma sumale sumame sumar sus tal
    tampoco tan tanto tarde tardes tarjeta tendran tendras tendria tendrian tendrias tenes tenga tengan tengo
    tenia tenian ti ticket tiene tienen tienes tipo tipos toda todas todavia todo todos total traeme traer
    transferencia tu tus ubicacion uds ultima ultimo unas unos usted ustedes va vale valen vamos van variedad
    variedades vas ve vende venden vendes ver vos voy xfa xfavor ya yo
    """.split()  # noqa: SIM905  a list of words reads best as words
)
#: What people tell of themselves, of their day and of what they will do with it.
TOLD = frozenset(
    """
    ayer cocinar cocino comparacion comparame comparanos comparo decis domingo gaste gasto hija hijas hijo hijos jueves
    lleva llevamos llevar lleve llevo lunes martes mañana miercoles pague preparar preparo receta recetas sabado semana
    veces vez viernes
    """.split()  # noqa: SIM905  a list of words reads best as words
)
COUNTED = ("un", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez", "once", "doce")
NUMBERS = {word: str(number) for number, word in enumerate(COUNTED, start=1)} | {"una": "1", "uno": "1"}
FRACTIONS = {"½": " medio ", "1/2": " medio ", "¼": " cuarto ", "1/4": " cuarto ", "¾": " 0.75 ", "3/4": " 0.75 "}
AND_A_HALF = re.compile(r"\b(?:un |una |1 )?(kilo|litro)s? y medi[oa]\b")
#: A point or comma between digits belongs to a number ("1,5 l").
SEPARATORS = re.compile(
    r"[\n;:?!+/()]|(?<!\d)[.,]|[.,](?!\d)"
    r"|\b(?:y|o|u|entre|mas|más|tambi[eé]n|adem[aá]s|aparte|despu[eé]s|vs|versus)\b"
)
#: Of two that are compared: here the one "con" of the line stands between them; elsewhere it is a part of a name.
_BETWEEN = r"\b(?:con|contra|o|y|vs|versus)\b"
COMPARED = re.compile(
    rf"(\bcompar[aáeo]\w* (?:(?!{_BETWEEN})[^,/:\n]){{1,80}} )(?:con|contra) (?!.*(?:{_BETWEEN}|[,/:]))"
)
UNIT = r"(?:k|kgs?|kilos?|g|grs?|gramos?|l|lts?|litros?|cl|ml|cc|docenas?)\b"
#: How many, not how big.
TIMES = re.compile(rf"\bx ?\d+\b(?! ?{UNIT}|[.,])|(?<=\d) ?x\b")
#: What stands before a name: how many, and the "con" of "a recipe with chicken".
COUNT = re.compile(rf"^(?:con )?(?:\d+ (?!{UNIT}))?(?:con )?")
#: Where the next product of a list without commas begins: "2 leches 1 pan", "1 kilo papas 2 kilos cebollas".
STARTS_WITH_COUNT = re.compile(r"\d|medi[oa] |cuarto ")
NEXT_COUNT = re.compile(r" (?=(?:\d+(?:[.,]\d+)?|medi[oa]|cuarto) )")
SIZE = re.compile(rf"[\d.,%]+(?:{UNIT})?")


@remembered
def search_terms(text: str, mend: Callable[[str], str] = str) -> tuple[str, ...]:
    """Returns what a message seems to ask for: at most 5 normalised terms, in order; nothing for small talk. How many
    of something is left out, how big it is stays: "2 leches de 1 l" asks for "leches 1 l". mend: puts slips in
    normalised words right.
    """
    for sign, words in FRACTIONS.items():
        text = text.replace(sign, words)
    text = AND_A_HALF.sub(r"1.5 \1", text.lower())
    text = COMPARED.sub(r"\1, ", text)
    terms: dict[str, None] = {}
    for part in filter(str.strip, SEPARATORS.split(text)):
        terms |= dict.fromkeys(_terms(mend(normalised(part))))
        if len(terms) >= MAX_TERMS:
            break
    return tuple(terms)[:MAX_TERMS]


def _terms(part: str) -> list[str]:
    words = " ".join(_telling(TIMES.sub(" ", part).split()))
    terms: list[list[str]] = []
    for piece in NEXT_COUNT.split(words) if STARTS_WITH_COUNT.match(words) else [words]:
        term = COUNT.sub("", piece).split()[:MAX_WORDS]
        if any(_is_name(word) for word in term):
            terms.append(term)
        elif terms:
            terms[-1] += piece.split()
    return [" ".join(term[:MAX_TERM_WORDS]) for term in terms]


def _telling(words: list[str]) -> Iterator[str]:
    """Drops small words, what is only told, and words that are longer than any; numbers as digits. "te" is a pronoun
    before a small word, and tea elsewhere.
    """
    for word, following in pairwise([*words, ""]):
        if word == "te" and following in SMALL_WORDS:
            continue
        if word not in SMALL_WORDS and word not in TOLD and len(word) <= LONGEST_WORD:
            yield NUMBERS.get(word, word)


def _is_name(word: str) -> bool:
    return word == "te" or (len(word) > 2 and not SIZE.fullmatch(word))

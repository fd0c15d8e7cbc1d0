"""Questions with an open place for a product, a place or a use, as regular expressions over normalised text.

Each is matched against the whole question, greeting and courtesies taken away. The named groups are the open places;
`worker.language.sharing` looks at what stands in them. Many ways to ask one thing have one form, which is the text
itself where it is `{0}`.
"""

from __future__ import annotations

import re

from worker.language.phrases import DELIVER, HAVE, SELL, SHOP, either

_HAVE_YOU = either(
    """
    tenes|tienes|tienen|tendras|tendrias|tendrian|tendran|hay|habra|venden?|vendes|manejan|manejas|trabajan(?: con)?
    consigo|se consigue|(?:les |te )?quedan?|(?:(?:ando|estoy|estaba) )?buscando|busco|cuentan con|disponen de
    """
)
_OF_IT = r"(?: (?:(?:stock|disponibilidad|algo|algun tipo) del?|en stock|disponibles?|ustedes|usted|uds?))"
TO_HAVE = rf"{_HAVE_YOU}{_OF_IT}?"
_COST = either(
    """
    salen?|saldrian?|cuestan?|costaria|valen?|valdria|estan?|estarian?|cobran|tenes|tienes|tienen?|venden|vendes|dan
    dejan|es|seria
    """
)
_UNIT = r"(?:kilo|kg|unidad|docena|litro|paquete)"
_THE = r"(?:el|la|los|las)"
_A = r"(?:el|la|los|las|un|una|unos|unas|algun|alguna)"
_PER = rf"(?:(?:(?:por|el|la) )?{_UNIT} (?={_THE} ))?"
_WHICH = r"(?:(?:cual(?:es)? (?:es|son|seria) )?(?:el |los |que |a que )?)"
_PRICE = either(
    rf"""
    {_WHICH}(?:precio|valor|costo)s?(?: {_COST})?(?: (?:del?|por))? {_PER}
    (?:a |en )?cuanto {_COST} {_PER}|cuanto {_PER}(?={_THE} )|(?:a|en) cuanto {_PER}|a como (?:{_COST} )?{_PER}
    que (?:salen?|cuestan?|valen?)[ ]
    """
)
_ONLY_PRICE = either(
    rf"""
    (?:a |en )?cuanto(?: {_COST})?(?: (?:el|la|por) {_UNIT})?|a como(?: {_COST})?(?: (?:el|la|por) {_UNIT})?
    (?:a )?que precio(?: {_COST})?|precio|que (?:salen?|cuestan?|valen?)
    """
)
_LESS = r"(?:barat|economic)\w+"
_CHEAP = r"(?:barat|economic|rendidor|san|saludabl|ric|fresc|livian|suav|fuert|dulc)\w+"
_ADVISE = r"(?:(?:me |nos )?(?:recomend|recomiend|aconsej|suger|sugier)\w+)"
_DIET = either(
    """
    (?:sin|libres de) (?:gluten|tacc|lactosa|azucar|sal)|vegan[oa]s|para (?:celiac|diabetic|vegan)[oa]s|organic[oa]s
    """
)
_COOK = r"(?:hago|hacen?|hacer|preparo|preparan?|preparar|cocino|cocinan?|cocinar)"
_TO_COOK = r"(?:hacer|cocinar|preparar)"
_WEIGH = either(
    rf"""
    (?:(?:que|cual) )?(?:me |nos )?(?:conviene(?: mas)?|(?:es|seria|sale|resulta) (?:mejor|mas {_CHEAP}))
    (?:que|cual) (?:me |nos )?(?:rinde|dura|limpia) mas|(?:que|cual) {_ADVISE}
    """
)
_A_RECIPE = rf"(?:(?:{HAVE}|busco|quiero) )?(?:una |la |alguna )?recetas?"
_EASY = r"(?: (?:facil|rapida|rica|simple|sencilla|casera|economica)(?:s|es)?)"
_DINERS = r"(?:(?:para|por|x) \w+ (?:personas?|invitados|comensales|adultos|chicos)|por persona)"
_NEED = r"(?:calculo|calculan|necesito|compro|hago|llevo|se calcula|hace falta|hay que (?:calcular|comprar))"
_MEAL = r"(?: (?:de|para) (?:cenar|comer|almorzar|la cena|el almuerzo))"

#: Whether there is a product and what it costs are one question: an answer to either gives both.
_OFFER = "tenes {product} y a que precio"
_AVAILABILITY = (
    (rf"{TO_HAVE} (?P<product>.+?) (?:y )?{_ONLY_PRICE}", _OFFER),
    (rf"{TO_HAVE} (?P<product>.+)", _OFFER),
    (rf"{TO_HAVE} (?:productos|articulos|alimentos|algo) {_DIET}", "{0}"),
    (r"(?P<grocery>.+?) (?:tenes|tienes|tienen|hay|venden)", "tenes {grocery} y a que precio"),
)
_PRICES = (
    (rf"{_PRICE}(?P<product>.+)", _OFFER),
    (rf"(?P<grocery>.+?) {_ONLY_PRICE}", "tenes {grocery} y a que precio"),
)
_RANGE = (
    (rf"(?:que|cuales) productos (?:de|para|sin|con) (?P<product>.+?) {SELL}", "que productos {product}"),
    (rf"(?:que|cuales) (?P<product>.+?) {SELL}", "que {product} tenes"),
    (rf"que (?:cosas )?{SELL} (?:de|en) (?P<product>(?!{_THE} ).+)", "que tenes de {product}"),
    (r"(?:mostrame|muestrame|muestreme|mostrar|ver|quiero ver|quisiera ver) (?P<shown>.+)", "ver {shown}"),
)
_PLACES = (
    (rf"(?:{DELIVER}|entregan|envian|reparten|llegan|despachan) (?:a|al|en|hasta|para|por) (?P<place>.+)", "{0}"),
    (rf"tienen {SHOP}(?:es|s)? en (?P<place>.+)", "{0}"),
)
_ADVICE = (
    rf"{_WEIGH}(?: comprar)?(?: entre)? (?P<product>.+?) (?:o|y) (?P<other>.+)",
    rf"cual(?:es)? (?:es|son) (?P<product>{_THE} .+?) (?:mas|menos) {_CHEAP}(?: que {SELL})?",
    rf"cual(?:es)? (?:es|son) (?P<product>{_THE} .+?) que (?:mas|menos|mejor) (?:rinde|dura|limpia|se vende|venden)n?",
    rf"cual(?:es)? (?:es|son) (?:{_THE} )?mejor(?:es)? (?P<product>.+?) para (?P<use>.+)",
    rf"que (?P<product>.+?) (?:es|son) (?:(?:el |la )?mejor(?:es)? para (?P<use>.+)|(?:el |la )?mas {_CHEAP})",
    rf"que (?P<product>.+?) {_ADVISE} para (?P<use>.+)",
    rf"{_ADVISE} (?P<product>{_A} .+?) para (?P<use>.+)",
    rf"(?:{HAVE}|busco|{_ADVISE}) algo (?:ric[oa] |dulce |salad[oa] )?para (?P<use>.+)",
    r"que (?P<product>.+?) (?:va|queda|combina|pega|acompaña)n?(?: bien| mejor)? (?:con|para|a) (?P<use>.+)",
)
_RECIPES = (
    rf"{_A_RECIPE}{_EASY}? (?:de|para|con) (?:{_TO_COOK} )?(?P<products>.+)",
    r"(?:los )?ingredientes (?:de|para) (?P<products>.+)",
    rf"como (?:se |puedo |podria )?{_COOK} (?P<products>.+)",
    rf"que (?:ingredientes )?(?:necesito|llevan?|hace falta|se necesita)(?: para(?: {_TO_COOK})?)? (?P<products>.+)",
    rf"que (?:puedo|se puede|podria) {_TO_COOK}{_MEAL} con (?P<products>.+)",
    rf"cuant[oa]s? (?P<product>.+?) {_NEED} {_DINERS}",
)
#: Which of two is better, which is cheaper and how they differ are one question: to weigh them is to say all of it.
_COMPARISON = "compara {product} y {other}"
_TWO = r"(?P<product>.+?) (?:o|y|vs|versus|contra) (?P<other>.+)"
_COMPARISONS = (
    rf"(?:que|cual) (?:me |nos )?(?:conviene(?: mas)?|(?:es|seria|sale|resulta) (?:mejor|menos|mas {_LESS}))"
    rf"(?: comprar)?(?: entre)? {_TWO}",
    rf"(?:(?:que|cual es la|hay) )?diferencias? (?:(?:hay|tienen?) )?entre {_TWO}",
    rf"compar(?:a|ame|ar|acion)(?: de| entre)? {_TWO}",
    r"compar(?:a|ame|ar|acion)(?: de)? (?P<product>.+?) con (?P<other>.+)",
)
_RECOMMENDATION = "que {product} me recomendas"
_RECOMMENDATIONS = (
    rf"cual(?:es)? (?:es|son) (?:{_THE} )?mejor(?:es)? (?P<product>.+?)(?: que {SELL})?",
    r"que (?P<product>.+?) (?:(?:es|son) (?:el |la )?mejor(?:es)?|me conviene(?:n)?)",
    rf"que (?P<product>.+?) {_ADVISE}",
    rf"{_ADVISE} (?P<product>.+)",
)
_MERGED = (
    *((shape, _COMPARISON) for shape in _COMPARISONS),
    (
        rf"que (?P<product>.+?) (?:(?:es|son) (?:el |la )?mas {_LESS}|me conviene por precio)",
        "que {product} es mas barato",
    ),
    *((shape, _RECOMMENDATION) for shape in _RECOMMENDATIONS),
    (rf"(?:{HAVE}|busco|{_ADVISE}) algo para (?P<use>.+)", "tenes algo para {use}"),
    (rf"que (?:cosas )?{_ADVISE} (?:del?|en) (?P<section>.+)", "que me recomendas de {section}"),
    (rf"que (?:puedo|se puede|podria) {_TO_COOK} con (?P<products>.+)", "receta con {products}"),
    (rf"{_A_RECIPE} con (?P<products>.+)", "receta con {products}"),
)
_OTHERS = tuple((shape, "{0}") for shape in (*_ADVICE, *_RECIPES))
OPEN_QUESTIONS = tuple(
    (re.compile(shape), form) for shape, form in (*_AVAILABILITY, *_PRICES, *_RANGE, *_PLACES, *_MERGED, *_OTHERS)
)

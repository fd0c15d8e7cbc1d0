"""What customers of the replayed shop say, most usual first. Written for it; noise is added elsewhere.

`{product}` stands for the words by which a product is asked for, `{other}` for those of the one it is compared with.
Each text has the name of what it asks for: texts of one name are one question, whatever their words.
"""

from __future__ import annotations

from typing import Final

Said = tuple[str, str]

GREETINGS: Final[tuple[Said, ...]] = (
    ("greeting", "hola"),
    ("thanks", "gracias"),
    ("greeting", "buenas"),
    ("greeting", "buen día"),
    ("menu", "menú"),
    ("greeting", "hola, buenas tardes"),
    ("thanks", "muchas gracias!"),
    ("greeting", "buenas tardes"),
    ("greeting", "hola!"),
    ("greeting", "buenos días"),
    ("menu", "qué venden?"),
    ("greeting", "hola, cómo estás?"),
    ("farewell", "chau"),
    ("menu", "qué categorías tienen?"),
    ("farewell", "gracias, chau!"),
    ("help", "ayuda"),
    ("greeting", "hola, qué tal?"),
    ("greeting", "buenas noches"),
    ("thanks", "mil gracias"),
    ("farewell", "hasta luego"),
    ("menu", "qué productos tienen?"),
    ("menu", "ver menú"),
    ("thanks", "genial, gracias!"),
    ("menu", "catálogo"),
    ("farewell", "nos vemos"),
    ("thanks", "gracias por todo"),
    ("farewell", "hasta mañana"),
    ("menu", "me pasás el menú?"),
    ("greeting", "holis"),
)
QUESTIONS: Final[tuple[str, ...]] = (
    "tenés {product}?",
    "tienen {product}?",
    "hola, tenés {product}?",
    "precio de {product}",
    "cuánto sale {product}?",
    "hay {product}?",
    "busco {product}",
    "qué precio tiene {product}?",
    "cuánto cuesta {product}?",
    "buenas, tienen {product}?",
    "venden {product}?",
    "cuánto está {product}?",
    "me decís el precio de {product}?",
    "hola, precio de {product}?",
    "tendrán {product}?",
    "les queda {product}?",
    "estoy buscando {product}",
    "a cuánto está {product}?",
    "buen día, hay {product}?",
    "cuánto vale {product}?",
    "tenés stock de {product}?",
    "consulta: tienen {product}?",
    "{product}",
    "quería saber si tienen {product}",
    "hola, disculpá, cuánto sale {product}?",
)
#: They answer what the shop has just said, or point at it: without the conversation they mean nothing.
ANSWERS: Final[tuple[str, ...]] = (
    "si",
    "no",
    "2",
    "1",
    "dale",
    "ok",
    "el segundo",
    "3",
    "sí, dale",
    "no, gracias",
    "el primero",
    "esa",
    "la 2",
    "quiero 2",
    "los dos",
    "bueno",
    "ese",
    "la primera",
    "perfecto",
    "dame el 1",
    "4",
    "sí, por favor",
    "el otro",
    "todavía no",
    "mejor 3",
    "5",
    "la segunda",
    "dos",
)
COMPARISONS: Final[tuple[Said, ...]] = (
    ("cheaper", "qué conviene más, {product} o {other}?"),
    ("cheaper", "cuál es más barato, {product} o {other}?"),
    ("compare", "qué diferencia hay entre {product} y {other}?"),
    ("compare", "qué es mejor, {product} o {other}?"),
    ("compare", "comparame {product} con {other}"),
    ("cheaper", "qué sale menos, {product} o {other}?"),
)
ADVICE: Final[tuple[Said, ...]] = (
    ("recommend", "qué {product} me recomendás?"),
    ("occasion", "me recomendás algo para {occasion}?"),
    ("recommend", "cuál es el mejor {product}?"),
    ("recommend", "me recomendás {product}?"),
    ("occasion", "tenés algo para {occasion}?"),
    ("recipe", "qué puedo cocinar con {product}?"),
    ("recommend", "qué {product} es mejor?"),
    ("section", "qué me recomendás de {section}?"),
    ("cheapest", "qué {product} me conviene por precio?"),
    ("recipe", "me pasás una receta con {product}?"),
)
#: What people cook, drink and buy for.
OCCASIONS: Final = (
    "el desayuno",
    "un asado",
    "la merienda",
    "la cena",
    "un cumpleaños",
    "una picada",
    "el almuerzo",
    "una ensalada",
    "limpiar el baño",
    "hacer pizza",
    "el mate",
    "una torta",
    "celíacos",
    "diabéticos",
    "la vianda",
    "el pelo seco",
    "sacar manchas",
    "un postre",
    "las hormigas",
    "un guiso",
)
#: Stories: `{n}`, `{amount}`, `{street}` and so on make each of them the only one of its kind.
STORIES: Final[tuple[str, ...]] = (
    "te paso mi dirección: {street} {n}, timbre {letter}, toca {name}",
    "el {day} hacemos un asado para {few}, gasté {amount} la otra vez, qué me falta?",
    "ayer compré {few} {product} y pagué {amount}, está bien ese precio?",
    "anotá para la semana: {few} {product}, {some} {other} y algo rico para {name}",
    "mi pedido es el {n}-{letter}, sabés a qué hora llega a {street}?",
    "soy {name} de {street} {n}, puedo pasar a buscar el {day} a las {few} y {some}?",
    "si compro {few} {product} y {some} {other} cuánto sería todo? tengo {amount}",
    "mi hijo {name} cumple {few} el {day} y vienen {some} chicos, qué llevo con {amount}?",
)
STREETS: Final = ("Rivadavia", "San Martín", "Belgrano", "Mitre", "Sarmiento", "Corrientes", "Las Heras", "Alsina")
NAMES: Final = ("Ana", "Bruno", "Carla", "Diego", "Elena", "Fabián", "Gabi", "Hugo", "Inés", "Joaquín", "Laura")
DAYS: Final = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")
EMOJI: Final = ("🙏", "😊", "👍", "🙌", "😅", "🛒")

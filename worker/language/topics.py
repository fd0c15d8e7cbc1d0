"""Topics of customers, as regular expressions searched in normalised text.

Where two topics could begin at the same word, the one that stands first here is meant.
"""

from __future__ import annotations

import re

from worker.language.answers import asks, denies, speaks_of_pickup
from worker.language.normalise import normalised
from worker.language.phrases import DAYS, METHOD, SHOP, either
from worker.language.vocabulary import GROCERIES

_NUMBER = r"(?:\d+(?:[.,/]\d+)?|una?|un[oa]s|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|doce|media|medio)"
_IT = r"(?:l[oae]s?|mel[oa]s?|me|nos)?"

#: Someone is dissatisfied, or wants back what is theirs.
COMPLAINT = r"""
    reclam\w+|quej(?:a|as|o|arme|arse|ar)|devolu\w+|devuelv\w+|reembols\w+|reintegr\w+|denunci\w+|estaf\w+
    vencid[oa]s?|podrid[oa]s?|caducad[oa]s?|rot[oa]s?|aplastad[oa]s?|derramad[oa]s?|pinchad[oa]s?|(?:mal|feo) olor
    (?:en )?mal estado|(?<!numero )equivoc\w+|cobraron|cobrado (?:de mas|mal|dos)|me estan cobrando|verguenza
    desastre|pesim[oa]s?|horribles?|asco|asqueros\w+|indignad[oa]|hart[oa]s?|decepcion\w*|malisim[oa]s?|ladron\w*
    chorros|inutil\w*|porqueria|mierda|carajo|pelotud\w*|idiot\w*|irresponsabl\w+|mentiros[oa]s?|payasos|contesten
    respondan|atiendan|fallad[oa]s?|incomplet[oa]s?|machucad[oa]s?|golpead[oa]s?|no vino nadie|hongos|gusanos?
    estaban? (?:con|vencid|abiert|mal|podrid|rot|en mal)\w*|defectuos[oa]s?
    (?:trato|trataron|atendieron) (?:re |muy |tan )?mal|maltrat\w+|groser\w+|maleducad\w+|la concha|put[oa]s?
    hij[oa]s? de|cagad\w+|pinches?|chinga\w*|verga|joder|hdp|ctm|boludos|falta de respeto|no puede ser|nunca mas
    mal[oa]? (?:atencion|servicio)|defensa (?:del|al) consumidor
    (?:todavia|aun|nunca|no) (?:me |nos |se )?(?:lleg(?:o|aron|a|an)|vin(?:o|ieron)|traj(?:o|eron)|entregaron)
    (?:todavia|aun|nunca|no) (?:me |nos )?(?:mandaron|funciona|anda|respond\w+|contest\w+|atend\w+|devolvieron|avisaron)
    (?:me|nos) falt(?:o|aron|aba|aban)|falt(?:o|aron|aba|aban) (?:un|una|el|la|los|las|dos|\d+)
    sig(?:o|ue|uen) (?:sin|esperando)|(?:hace|llevo|van) (?:mas de )?(?:\w+ )?(?:horas?|dias?|rato|semanas?|minutos)
    nadie (?:me )?(?:contest|respond|atiend)\w+|cuando se dignan|hasta cuando
    (?:lleg|vin|traj|mand)(?:o|aron|ieron|eron) (?:todo|otr[oa]|mal|abiert[oa]|menos|tarde|sin|la mitad|helad[oa])
    (?:hubo|hay|tuve|tengo|tenemos) (?:un |una )?(?:problemas?|inconvenientes?)|me (?:mandaron|trajeron|dieron)
"""
PERSON = r"""
    (?:hablar|comunicarme|comunicar|chatear|contactar|contactarme) (?:con|a) (?:un |una |el |la |algun |alguna )?\w+
    (?:pas(?:as|ame|enme|arme)|comunic(?:ame|as|a)|deriv(?:ame|a)) (?:con|a) (?:un|una|el|la|algun|alguien)
    con quien (?:puedo )?(?:hablo|hablar)
    (?:me )?(?:atiend\w+|atender|llam(?:en|enme|ame|ar|arme)) (?:por )?(?:un|una|alguien|el|la|telefono|por telefono)
    (?:asesor|operador|representante|humano|agente|encargad[oa]|gerente|vendedor|atencion al cliente)[a]?
    (?:una )?persona (?:real|de verdad)|alguien que me (?:ayude|atienda|responda)|(?:un )?telefono para llamar
    (?:hay )?(?:alguien|alguna persona|algun \w+) (?:que (?:me )?|para )(?:atiend\w+|ayud\w+|respond\w+|hablar)
"""
_ORDER = r"(?:mi|el) (?:pedido|envio|orden|repartidor)"
ORDER_STATUS = rf"""
    (?:donde|como|en que) (?:esta|anda|viene|va|quedo|estado)(?: esta)? {_ORDER}|(?:que paso con|y) {_ORDER}
    (?:cuando|a que hora|ya) (?:me )?(?:llega|llegan|llegaria|sale|salio|traen|vienen?|entregan)(?: (?:mi|el|lo) \w+)?
    ya esta (?:mi|listo)|(?:seguimiento|estado|numero) del? (?:mi )?(?:pedido|envio|compra|orden)|rastrear
    (?:mi|el) pedido (?:ya )?(?:salio|llega|esta|viene|cuando)
    (?:cuanto (?:tiempo )?(?:tarda|demora|falta)n?|tarda mucho)
"""
_SENDING = r"(?:envios?|delivery|repartos?|entregas?|domicilios?|flete)"
DELIVERY = rf"""
    (?:hacen|tienen|realizan|ofrecen|hay|cobran|manejan) (?:servicio de |el )?{_SENDING}
    (?:cuanto|que) (?:salen?|cuestan?|cobran|es|vale)(?: de| por)? (?:el |los |un |la )?{_SENDING}
    (?:precio|costo|valor) (?:del?|por) (?:el )?(?:envio|delivery|flete)|cobran (?:el )?envio
    (?:el )?(?:envio|delivery) (?:es|sale|tiene|gratis|cuesta|incluido)\b|envio gratis
    a partir de cuanto (?:es )?(?:gratis )?(?:el |hay |hacen )?(?:envio|delivery)?
    (?:hay |un |el |la )?(?:minim[oa] (?:de|para)|(?:compra|pedido|monto) minim[oa])
    (?:a|hasta|en) que (?:zonas?|barrios?|lugares)
    (?:llegan|envian|entregan|mandan|reparten) (?:a|al|hasta|en|por) \w+
    (?:se puede|puedo|hacen) (?:retirar|retiro|pasar a (?:buscar|retirar))
"""
HOURS = rf"""
    horarios?|(?:a|hasta|desde|de) que horas? (?:abren?|cierran?|atienden?|estan?|trabajan?)
    que dias (?:abren|atienden|trabajan)
    (?:abren|atienden|cierran|trabajan|estan abiertos|esta abierto|abre|abierto) (?:hoy|mañana|ahora|el \w+|{DAYS})
    estan? abiertos?|estan atendiendo|abren$
"""
PLACE = rf"""
    donde (?:estan ubicados|quedan|estan|se encuentran|(?:esta|queda) (?:el|la|su) {SHOP})
    (?:la |su )(?:direccion|ubicacion) (?:de la|del|de) (?:{SHOP}|ustedes)|cual es (?:la|su) direccion
    (?:(?:tienen|hay) )?(?:una )?sucursal(?:es)?|en que calle
"""
PAYMENT = rf"""
    (?:formas?|medios?|metodos?) de pago|que tarjetas|como se paga|(?:(?:tienen|hay|hacen|aceptan) )?cuotas
    (?:hacen|emiten) factura
    (?:aceptan|reciben|toman|trabajan con|tienen|cobran con|hay) (?:pagos? (?:con|por) )?{METHOD}
    (?:se puede|puedo|puede|podria|podemos) (?:pagar|abonar)(?: (?:con|en|por) \w+)?
"""
BUYING = r"""
    como (?:compro|se compra|puedo comprar|hago (?:para (?:comprar|pedir)|un pedido|una compra)|funciona)
"""
_BETTER = r"(?:barat|economic|san|saludabl|ric|rend|natural|fresc|convenient|suav|fuert|livian)"
ADVICE = rf"""
    recomend\w+|recomiend\w+|aconsej\w+|sugeri\w+|sugier\w+|conviene\w*|convendria
    compar(?:a|o|ar|ame|arme|acion|alos|alas)|diferencias?|receta\w*|ingredientes?|presupuesto|maridaj\w+|calcul\w+
    vale la pena|alternativas?|mejor (?:marca|precio|opcion|calidad|relacion)
    (?:es|son|seria|cual|el|los|las|la) mejor(?:es)?|(?:cual )?(?:es|son) buen[oa]s?|o mejor
    (?:ideas?|menu|algo rico) (?:para|de|semanal)|(?:va|queda|combina|pega)n? (?:bien |mejor )?con
    que (?:\w+ ){{0,2}}(?:puedo|podria|podemos|podriamos|se puede) (?:hacer|cocinar|preparar|comer|tomar|usar|regalar)
    que (?:cocino|preparo|hago) (?:hoy|de|para|con)
    como (?:se |puedo |podria )?(?:hago|hacen?|hacer|prepar(?:o|an?|ar)|cocin(?:o|an?|ar))
    que (?:necesito|hace falta|llevan?) (?:para|el|la|un|una)
    cuant[oa]s? \w+ (?:para|por|necesito|calculo|hace falta|compro)
    (?:para|por) (?:unas |unos )?\w+ (?:personas|invitados|comensales|adultos)|\d+ (?:personas|invitados|comensales)
    por que|porque
    (?:que|cual(?:es)?)(?: \w+){{0,6}} mas {_BETTER}\w*
    (?:que|cual(?:es)?)(?: \w+){{0,4}} (?:rinde|dura|tiene menos|tiene mas|engorda)n?
    (?:es|sera) mas {_BETTER}\w*
"""
CLEAR = r"""
    (?:vacia|limpia)\w* (?:todo|el carrito|mi carrito|la canasta|carrito)
    (?:borra|elimina|saca|quita)\w* todo(?= lo que|$)|cancel\w+|anul\w+
    (?:empe\w+|arran(?:c|qu)\w+|volver a empezar) (?:todo )?(?:de nuevo|de cero|otra vez)|desde cero
    no quiero (?:mas )?nada
"""
VIEW = r"""
    (?:ver|veo|(?:mostr|muestr)\w+|revis(?:ar|o)|pasame|mandame|decime) (?:el |mi )?(?:carrito|pedido|resumen|total)
    (?:ver|mostra\w*|muestra\w*|pasame|decime) (?:como va el|que hay en (?:el|mi)|lo que llevo|el detalle)(?: carrito)?
    como (?:va|viene|quedo|quedaria) (?:el|mi) (?:pedido|carrito|compra|total)
    (?<!lo )que (?:tengo|hay|llevo|puse|pedi)(?: en (?:el|mi))?(?: carrito)?$
    que (?:tengo|hay|llevo|puse) (?:en|hasta|anotado|pedido)(?: (?:el|mi|ahora))?(?: carrito)?
    cuanto (?:te |les )?(?:llevo|voy|va|debo|gaste)
    cuanto (?:me )?(?:sale|es|seria|queda|suma|da) (?:todo|el total|en total|la cuenta|mi pedido|el pedido)
    cuanto (?:seria|es|da|suma)$|(?:el|mi|cual es el|y el) total|total$|(?:mi|el) carrito$|mi pedido$|resumen
"""
REMOVE = rf"""
    (?:sac|quit|elimin|borr|descart)(?:a|ar|as|e|emos|ale|ate){_IT}|(?:sac|quit)[ae]me(?:l[oa]s?)?
    retira(?:me|lo|la)|ya no (?:quiero|necesito|va)|no (?:lleves|pongas|mandes|agregues|sumes)
    no (?:quiero|va|necesito) (?:el|la|los|las|ese|esa|mas)|(?:el|la|los|las) \w+ (?:ya )?no$
"""
MODIFY = r"""
    cambi(?:a|ar|emos|o|as)(?:me|l[oae]s?)?|modific\w+|que sean|en (?:vez|lugar) de
    dej(?:a|ar|emos)(?:me|l[oa]s?)?(?: solo| en)?|correg\w+|(?:eran?|son) (?:\d+|dos|tres|una?) (?:y )?no
    en realidad (?:son|quiero|eran)|reduc\w+|baj(?:a|ame|al[oa]s?)|sub(?:i|ime|il[oae]s?)|aument\w+|reemplaz\w+
    duplic\w+|mejor (?:\d+|dos|tres|cuatro|cinco|seis|una?|solo)|solo (?:\d+|una?|dos)
    (?:una?|\d+|dos|tres|uno) (?:mas|menos)(?= (?:de|y)|$)
"""
CHECKOUT = rf"""
    (?:quiero |para |a |vamos a |voy a |quisiera )?(?:pagar|abonar|finaliz\w+|cerrar|confirmar|terminar)
    termin(?:ar|o|e|ame|amos)|cerra(?:mos|me|lo)?|ya esta(?= es|$)|es todo$|cierra(?:lo|me)?|cierro|como pago
    lo quiero para|confirm(?:o|ar|ado|a|amos|al[oa])|(?:eso|ya) (?:es|seria) todo|(?:nada|no) mas$|nada mas
    seria todo|solo eso|con eso (?:estoy|estamos|ya|alcanza)|a nombre de|listo el pedido
    pag(?:o|aria|are|amos) (?:con|en|por|al)|(?:te|les) (?:pago|transfiero)|(?:con|en) {METHOD}$|checkout
    (?:hacer|realizar) el pedido|(?:mand|envi|tra)(?:a|e|en|i|iga|igan)(?:me|nos)?(?:lo|la|los|las)
    (?:lo|la|los|las) (?:mandan|traen|envian|retiro|busco|paso a (?:buscar|retirar))|paso a (?:buscar|retirar)
    mi direccion|a mi (?:casa|depto|trabajo|domicilio)|estoy en|vivo en|retiro (?:yo|en|por)
"""
_SOMETHING_ELSE = either(
    """
    saber|ver|consultar|preguntar|averiguar|hablar|que me (?:devuelv|llam|atiend|pas|comuni|expli)
    """
)
ADD = rf"""
    (?:quiero|quisiera|quer(?:ia|ria)|necesit(?:o|aria|amos)|me gustaria)(?! {_SOMETHING_ELSE})
    (?:apunta|regala|guarda|alcanza)(?:me|nos)|(?:que )?(?:me )?(?:anotes|pongas|sumes|mandes|guardes)|agreg\w+
    añad\w+|anad\w+|sum(?:a|as|ar|emos|en){_IT}|anot(?:a|as|en|ar){_IT}
    pon(?:e|er|ele|le|gan|ga|dria|me|eme)?(?:me|l[oa]s?)?|d(?:ame|eme|enme)|mand(?:a|ame|enme)|inclui\w+
    (?:me|nos) (?:das|llevo|pones|anotas|mandas|agregas|sumas|traes|apartas|vendes|llevaria)|tra(?:eme|igame|iganme)
    (?<!que )(?<!siempre )llev(?:o|aria|are|amos|ame)|apart(?:a|ame)|reserv(?:a|ame)|echa(?:le|me)|compro|comprar
    pedir|encargar|(?:hacer|hago) (?:un|mi) (?:pedido|compra)
"""
SEARCH = r"""
    tenes|tienes|tienen|tenias|tenian|tendr\w+|hay|habra|vende[ns]?|busco|buscando|precios?|manejan|consigo|quedan?
    stock|disponibles?|cuanto (?:sale|cuesta|vale|esta|cobra)n?
    cuanto (?:saldria|costaria|seria|es|el|la|los|las|tienen|tenes)|(?:a|en) cuanto|a como
    que (?:sale|cuesta|vale|precio|valor)n?|ver (?:los |las )?\w+|vienen?|traen?|tiene|mostra\w+|trabajan con
    de cuantos?|ofrec\w+|cuanto$
"""
#: The order decides where two begin at the same word.
TOPICS = {
    "complaint": COMPLAINT,
    "person": PERSON,
    "status": ORDER_STATUS,
    "delivery": DELIVERY,
    "hours": HOURS,
    "place": PLACE,
    "payment": PAYMENT,
    "buying": BUYING,
    "advice": ADVICE,
    "clear": CLEAR,
    "view": VIEW,
    "remove": REMOVE,
    "modify": MODIFY,
    "checkout": CHECKOUT,
    "add": ADD,
    "search": SEARCH,
}


TOPIC = re.compile("|".join(rf"(?P<{name}>\b{either(phrasings)}(?!\w))" for name, phrasings in TOPICS.items()))
#: A street and a number; a number with a unit is a size.
_STREETS = r"(?:calle|av|avda|avenida|pasaje|pje|jiron|jr|carrera|cra|boulevard|blvd|ruta|esq|esquina|manzana|mz)"
_QUARTERS = r"(?:barrio|colonia|urb|urbanizacion|depto|dpto|departamento|piso|cp)"
ADDRESS = re.compile(rf"\b(?:{_STREETS}|{_QUARTERS})\b.*\d")
_MONTHS = "enero|febrero|marzo|abril|mayo|junio|julio|agosto|sep|oct|nov|dic"
STREET = re.compile(rf"(?:\d{{1,2}} de (?={_MONTHS}))?(?:[a-zñ]+ ){{1,4}}\d{{3,5}}(?: (?!(?:l|g|ml|kg|cc)\b|un).*)?$")
#: What stands in no address: money and ways to pay, goods behind it, numbers of people and minutes.
_NO_ADDRESS = re.compile(
    rf"[$€]|\b(?:pag\w+|pesos|efectivo|tarjeta|transfer\w+|billete|vuelto|cambio|somos|personas|minutos|min)\b"
    rf"|\d.{{0,80}} (?:y|mas|con|ademas|tambien) (?:(?:tambien|ademas|de paso|agrega\w*|suma\w*) ){{0,3}}{_NUMBER}"
    r" (?!de\b)[a-zñ]{3,}"
)
#: A list of goods: "2 leches y 1 pan".
LIST = re.compile(
    rf"^(?:(?:hola|buenas|y|e|tambien|ah|bueno|si|dale|mas) )*{_NUMBER} (?:(?:kg|g|l|ml|cc) de )?"
    r"(?!pregunta|consulta|duda)[a-zñ]{3,}"
)


#: Texts longer than this are not looked through for topics here.
_LONGEST = 300
#: Said along with another topic, these are part of it: "in place of 2 give me 4", "send it to my house, I pay cash".
PART_OF = {
    "modify": {"add", "remove"},
    "checkout": {"delivery", "payment"},
    "view": {"search", "status"},
    "person": {"add", "search"},
}


def topics(plain: str) -> list[str]:
    """Names of TOPICS in the order in which a normalised text comes to them, each once."""
    found = list(dict.fromkeys(str(match.lastgroup) for match in TOPIC.finditer(plain)))
    parts = set().union(*(PART_OF.get(topic, ()) for topic in found))
    return [topic for topic in found if topic not in parts]


def speaks_of_goods(text: str) -> bool:
    """Returns whether a text asks something, or wants goods put in, changed or taken out. A long one may."""
    plain = normalised(text[: _LONGEST + 1])
    wanted = {"add", "modify", "remove", "clear", "search"}
    return asks(text) or len(text) > _LONGEST or bool(LIST.match(plain)) or not wanted.isdisjoint(topics(plain))


def is_address(text: str) -> bool:
    """Returns whether a text is plainly a street address and nothing else: it asks and denies nothing, names no way to
    pay or to fetch, and no goods.
    """
    plain = normalised(text)
    if "?" in text or LIST.match(plain) or denies(text) or speaks_of_pickup(text) or _NO_ADDRESS.search(plain):
        return False
    return bool(ADDRESS.search(plain) or (STREET.match(plain) and not _begins_with_goods(plain)))


def _begins_with_goods(plain: str) -> bool:
    """Returns whether the first word is something sold, as in "coca cola 2250"."""
    return plain.split()[0] in GROCERIES

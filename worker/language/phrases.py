"""The sentences that mean the same in every session, as regular expressions over normalised text.

Each is matched against the whole sentence. `worker.language.open_questions` has those with an open place.
"""

from __future__ import annotations

import re


def either(phrasings: str) -> str:
    """A group that matches one of these; one phrasing, or a few between bars, on a line."""
    return f"(?:{'|'.join(line.strip() for line in phrasings.strip().splitlines())})"


SHOP = r"(?:local|super(?:mercado)?|tienda|negocio|sucursal|comercio|almacen|deposito)"
HAVE = r"(?:tenes|tienes|tienen|hay|manejan|ofrecen)"
SELL = rf"(?:{HAVE}|venden|vendes)"
_WEEKDAY = r"(?:lunes|martes|miercoles|jueves|viernes|sabados?|domingos?|feriados?|festivos)"
DAYS = either(
    rf"""
    (?:los |las )?{_WEEKDAY}(?:(?: y| a)? {_WEEKDAY})*|(?:los )?fines de semana|todos los dias|(?:las )?24 (?:horas|hs)
    de noche|al mediodia|de corrido|(?:a|por) la (?:mañana|tarde|noche|siesta)
    """
)

# Small talk that confirms nothing: "dale", "ok" and "listo" may confirm an order. What repeats is atomic, for a word
# that can be read in two ways must not be tried in both each time.
GREETING = either(
    """
    hola|(?:muy )?buenas(?: tardes| noches| dias)?|muy buen dia|buenos dias|buen dia|buena tarde|buena noche
    hey|hello|saludos
    """
)
HOW_ARE_YOU = r"(?:que (?:tal|onda)(?: todo)?|(?:como|que tal) (?:estas?|estan|andas?|andan|te va|les va)(?: hoy)?)"
_TO_ALL = r"(?:todo bien|espero que (?:estes|esten) bien|como va(?: todo)?|que hay|que se cuenta|a todos|gente|chicos)"
HELLO = rf"(?:{GREETING}|{HOW_ARE_YOU})(?> (?:{GREETING}|{HOW_ARE_YOU}|{_TO_ALL})\b)*"
_FOR = r"(?:por (?:todo|la \w+|(?:su|tu) (?:ayuda|atencion|tiempo)|responder|contestar|atenderme))"
THANKS = either(
    rf"""
    (?:(?:muchas|muchisimas|mil|millones de) )?gracias(?: {_FOR}| de verdad| a (?:ustedes|vos|ti)| geni[oa]| chicos)?
    (?:te|les|se los?) agradezco(?: mucho| un monton)?|(?:muy|son muy|que) amables?
    (?:sos|son|eres) (?:un genio|una genia|un sol|un amor|lo mas|los mejores|geniales|grosos)
    """
)
_WISH = r"(?:que )?(?:tengas?|tengan|pases?|pasen)(?: un| una)? (?:lind|buen|excelente|bonit|feliz)[oa]?"
BYE = either(
    rf"""
    chau|chao|chaucito|adios|bye|bendiciones|(?:que )?dios (?:te|los|le|les) bendiga|nos vemos(?: pronto)?|cuidense
    hasta (?:luego|mañana|pronto|la proxima|otro dia|la vista)|{_WISH} (?:dia|tarde|noche|finde|fin de semana)
    que (?:estes?|esten) bien|feliz (?:navidad|año(?: nuevo)?|domingo|pascua|dia)|felices fiestas|saludos
    buen (?:finde|fin de semana)|buena jornada|buenas noches
    """
)
SMALL_TALK = re.compile(rf"{HELLO}|(?:{THANKS}|{BYE})(?> (?:y )?(?:{THANKS}|{BYE})\b)*")

# What is said around a question and changes nothing in it.
VOCATIVE = either(
    """
    amig[oa]s?|señor(?:a|es|ita)?|joven|bro|jefe|maestro|caser(?:o|a|ita|ito)|vecin[oa]|chic[oa]s|gente|estimad[oa]s?
    oye|oigan?|mira|disculp(?:a|e|en|ame)|perdon(?:a|e)?
    """
)
_LEARN = either(
    """
    saber|consultar(?:te|les|le)?|preguntar(?:te|les|le)?|averiguar|conocer
    ver(?= (?:si|que|cuanto|el|los|precios?|la lista|a))
    """
)
_TELL = r"(?:decir|informar|confirmar|indicar|pasar|averiguar|dar|mandar|enviar|mostrar)"
_YOU_TELL = r"(?:decis|dic(?:es|en?)|das?|dan|pasas?|pasan|mandas?|envias|mostras|muestras|confirmas|averiguas|dirias)"
COURTESY = either(
    rf"""
    (?:(?:te|les|le) )?(?:queria(?:mos)?|quisiera|quiero|necesito|necesitaria|me gustaria) {_LEARN}(?: si| por| sobre)?
    (?:me |nos )?(?:pod(?:es|rias?|rian|ras)|pued(?:es|en?)) {_TELL}(?:me|nos)?(?: si)?|(?:me|nos) {_YOU_TELL}(?: si)?
    (?:decime|dime|digame|pasame|dame|deme|confirmame|contame|avisame|mandame|enviame)(?: si)?
    (?:mostrame|muestrame|ver|decime|quiero ver) lo(?= que )|(?:alguien )?sab(?:es?|en|ras|rias) si|sera que
    (?:te|les|le) (?:consulto|pregunto|hago (?:una )?(?:consulta|pregunta))(?: si| por| sobre)?
    (?:una )?(?:consulta|consultita|pregunta|preguntita|duda)
    (?:vos|ustedes|uds|usted|aca|aqui|ahi|en el super|en la tienda)(?= (?:ten|tien|hay|vend|manej|hac|acept))
    """
)
LEAD_IN = re.compile(rf"^(?>(?:{GREETING}|{HOW_ARE_YOU}|{VOCATIVE}|{COURTESY}|todo bien) )+")
TAIL = re.compile(
    rf"(?> (?:{THANKS}|desde ya|de antemano|saludos|aca|aqui|(?:por )?ahi|en (?:el|la|su) {SHOP}"
    r"|amig[oa]|bro|jefe)\b)+$"
)
#: What is on the shelf is on the shelf now; "are you open now" is another question than "are you open".
NOW = re.compile(r"(?: (?:hoy|ahora|en stock|disponibles?|a la venta))+$")

# Questions about the shop. What delivery costs and when it comes depends on the customer, that there is any does not.
_SHOW = r"(?:ver|mostrame|muestrame|mostrar)"
_THINGS = r"(?:categorias|secciones|rubros|productos|cosas)"
_MENU = either(
    rf"""
    (?:(?:quiero )?{_SHOW}(?: el| las| la)?|el|tu|sus?|la|las|(?:volver|ir) al) (?:menu|categorias|catalogo|secciones)
    menu(?: principal)?|categorias|secciones|catalogo(?: de productos)?|(?:{_SHOW} )?productos
    (?:(?:{_SHOW} )?(?:la|su) )?lista de (?:precios|productos)
    (?:(?:necesito|quiero) )?ayuda|me (?:ayudas?|(?:podes|puedes?|podrias?) ayudar)
    (?:que|cuales son las) {_THINGS}(?: {SELL})?(?: a la venta)?|que (?:ofertas|promos|promociones|descuentos) {HAVE}
    que (?:(?:venden|vendes|ofrecen|manejan|comercializan)|{HAVE} (?:a la venta|para vender))
    que (?:se puede|puedo) (?:comprar|pedir)(?: (?:por )?(?:aca|aqui))?
    que (?:podes|puedes?|pueden) hacer|(?:en )?que (?:me )?(?:podes|puedes?|pueden) ayudar(?:me)?
    """
)
_OPEN = r"(?:abren?|atienden?|trabajan|cierran?)"
_HOURS_OF = rf"(?: de (?:atencion|apertura|cierre|trabajo|la {SHOP})| del {SHOP})"
_HOURS = either(
    rf"""
    (?:(?:cual(?:es)? (?:es|son) )?(?:el |los |sus? |tu )?|(?:en )?que )horarios?{_HOURS_OF}?(?: {DAYS})?
    (?:en )?que horarios? (?:tienen|tenes|tienes|manejan|hacen|atienden|abren|trabajan|puedo ir)(?: {DAYS})?
    (?:a|hasta|desde|de) que horas? (?:{_OPEN}|estan(?: abiertos)?|esta abierto)(?: (?:el|la) {SHOP})?(?: {DAYS})?
    que dias (?:{_OPEN}|estan(?: abiertos)?)|estan? abiertos?|{DAYS} {_OPEN}
    (?:{_OPEN}|estan abiertos|esta abierto) {DAYS}(?: {DAYS})?
    """
)
_PLACE = either(
    rf"""
    (?:en )?donde (?:estan ubicados|se encuentran|se ubican|quedan(?: ustedes)?|tienen {SHOP}(?:es|s)?)
    (?:en )?donde estan(?: ustedes)?
    (?:en )?donde (?:queda|esta)(?: ubicad[oa])? (?:el|la|su|tu) {SHOP}(?: ubicad[oa])?
    (?:en )?que (?:calle|zona|barrio|parte) (?:estan(?: ubicados)?|se encuentran|quedan)
    (?:cual es )?la (?:direccion|ubicacion) (?:del {SHOP}|de la {SHOP}|de ustedes)|cual es su (?:direccion|ubicacion)
    tienen {SHOP}(?:es|s)?(?: fisic[oa]s?| a la calle)?
    """
)
_GOODS = r"(?:envios?|delivery|repartos?|entregas?|despachos?)"
DELIVER = rf"(?:hacen|realizan|tienen|hay|ofrecen|cuentan con|manejan)(?: servicio de)? {_GOODS}"
_DELIVERY = either(
    rf"""
    {DELIVER}(?: a domicilio| a todo el pais| {DAYS})?|(?:entregan|envian|reparten|mandan|llevan) (?:a domicilio|{DAYS})
    (?:(?:a|hasta|en) )?que (?:zonas?|barrios?|lugares|ciudades|distritos) (?:llegan|envian|entregan|reparten|cubren)
    (?:se puede|es posible) retirar (?:en|por) (?:el |la )?{SHOP}|hacen retiro en (?:el |la )?{SHOP}
    (?:hay|tienen)(?: un| una)?(?: monto| pedido| compra)? minim[oa](?: de (?:compra|pedido))?(?: para envios?)?
    cual es (?:el monto minimo|la compra minima|el pedido minimo|el minimo de compra)
    """
)
METHOD = either(
    """
    tarjetas?(?: de (?:credito|debito)(?: (?:y|o) (?:credito|debito))?)?|credito|debito|efectivo|mercado ?pago|mp|yape
    transferencias?(?: bancarias?)?|plin|nequi|daviplata|oxxo|spei|paypal|bizum|qr|modo|uala|cheques?|dolares|visa
    posnet|mastercard|amex|cuenta dni|contra entrega|terminal|billetera virtual|vales de despensa|tickets? restaurante
    """
)
_METHODS = rf"{METHOD}(?:(?: y| o| e| u)? {METHOD})*"
_PAYMENT = either(
    rf"""
    (?:(?:que|cuales son (?:los|las)|con que) )?(?:medios|formas|metodos) de pago(?: (?:{HAVE}|aceptan|reciben|toman))?
    (?:aceptan|reciben|toman|trabajan con|tienen|cobran con|manejan) (?:pagos? (?:con|por|en) )?{_METHODS}
    (?:con )?que tarjetas (?:aceptan|reciben|toman|trabajan)|como se paga
    (?:se puede|se podria|es posible) (?:pagar|abonar) (?:(?:con|en|por|mediante) )?{_METHODS}
    (?:tienen|hay|hacen|aceptan) cuotas(?: sin interes)?|(?:hacen|emiten|dan) factura(?: [abc])?
    """
)
_TAKEN_BACK = r"(?:cambios?|devolucion(?:es)?)(?: (?:y|o|ni) (?:cambios?|devolucion(?:es)?))?"
_RETURNS = either(
    rf"""
    (?:aceptan|hacen|hay|tienen|permiten) {_TAKEN_BACK}|(?:cambios y devoluciones|devoluciones y cambios)
    (?:(?:que|cual es (?:la|su)|tienen|la|su) )?politicas? de {_TAKEN_BACK}(?: tienen)?
    como (?:son|funcionan|se hacen|hacen|manejan) (?:los|las|el tema de(?: los| las)?) {_TAKEN_BACK}
    (?:como )?(?:se puede|se pueden|puedo|es posible|hago para) devolver (?:un |una |los |algun )?(?:producto|compra)s?
    cuanto tiempo (?:tengo|hay|tenemos) para devolver(?: (?:un |los )?productos?)?
    """
)
_AN_ORDER = r"(?:un pedido|una compra|pedidos|compras)"
_CONTACT = r"(?:whatsapp|telefono|instagram|facebook|pagina(?: web)?|web|app|mail|correo|estacionamiento)"
_SERVICE = either(
    rf"""
    como (?:compro|se compra|puedo comprar|se hace un pedido|es para (?:comprar|pedir))(?: por (?:aca|aqui|whatsapp))?
    como hago (?:para (?:comprar|pedir|hacer {_AN_ORDER})|{_AN_ORDER})(?: por (?:aca|aqui|whatsapp))?
    como funciona (?:el servicio|la tienda)|(?:tienen|hay|cual es (?:el|la|su)) {_CONTACT}(?: para pedidos| del {SHOP})?
    (?:sos|eres|es usted|(?:estoy )?habl(?:o|ando) con) (?:un |una )?(?:bot|robot|maquina|ia|persona)(?: real)?
    (?:sos|eres) (?:un |una )?(?:bot|robot|persona) o (?:un |una )?(?:bot|robot|persona|maquina)
    """
)
MENU = re.compile(_MENU)
#: The menu, and all questions about the shop.
FACT = re.compile("|".join((_MENU, _HOURS, _PLACE, _DELIVERY, _PAYMENT, _RETURNS, _SERVICE)))


def asked(plain: str) -> str:
    """A normalised text without greeting and courtesies around it."""
    return TAIL.sub("", LEAD_IN.sub("", plain))


def is_fact(plain: str) -> bool:
    """Returns whether a normalised question is about the menu or the shop; "en el local" may be part of it or a
    courtesy.
    """
    question = LEAD_IN.sub("", plain)
    return bool(FACT.fullmatch(question) or FACT.fullmatch(TAIL.sub("", question)))

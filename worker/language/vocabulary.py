"""The words that decide whether a message stands on its own. Everything is in normalised form.

The lists err on one side on purpose: a word that could lean on a conversation is here even if it also names a product.
A wrong "stands on its own" shows one customer another's answer; a wrong "leans" costs one call of a model.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Where one of these stands, the text may lean on what was said, shown, ordered or told before, or on a moment.
POINTING = _words(
    """
    lo le les me nos se os mi mis mio mia tu tus tuyo su sus suyo nuestro nuestra yo vos usted ustedes uds ella
    ellos ellas ese esa eso esos esas este esta esto estos estas aquel aquella aquello aquellos aquellas ahi alla
    asi tal otro otra otros otras mismo misma mismos mismas igual iguales parecido parecida similar similares
    distinto distinta diferente diferentes demas resto mas menos tambien tampoco ademas entonces luego despues antes
    ya todavia aun siempre nunca jamas recien anterior anteriores siguiente siguientes proximo proxima primer
    primero primera primeros segundo segunda tercer tercero tercera cuarto cuarta quinto quinta sexto sexta septimo
    octavo ultimo ultima ultimos ambos ambas cada alguno algunos ninguno ninguna cualquiera cualquier todo toda
    todos todas y e ni pero cuantos cuantas sino aunque si no que cual cuales quien cuando donde como cuanto cuanta
    porque pues mientras segun tanto ayer anoche mañana pasado anteayer semana mes rato dicho dijo dije dijiste
    dijeron mencionado elegido elegida carrito pedido pedidos pedi orden compra compras envio envios delivery flete
    entrega direccion casa domicilio cuenta nombre numero telefono lista total subtotal precio precios costo valor
    oferta ofertas promo promos promocion promociones descuento descuentos factura ticket comprobante recibo saldo
    vuelto cambio pago pagos transferencia devolucion reclamo queja problema foto fotos imagen video audio mensaje
    link opcion opciones arriba abajo hola gracias dale ok bueno listo vale claro perdon disculpa mejor peor quiero
    quisiera queria quieres queres necesito necesitamos prefiero tengo tenia tenes tienes tiene tienen hay dame deme
    denme ponme poneme pon anota anotame manda mandame suma sumame saca sacame quita quitame trae traeme deja dejame
    llevo lleva llevar vas va van voy fue fueron es son era eran soy sos eres seria serian estan vi viste vimos
    llego llegaron falta faltan falto quedo quedamos sigue siguen habia hubo puede pueden podes sale salen cuesta
    cuestan
    """
)
#: Verbs of a conversation or an order, whatever their ending; "mandarlo", "llevando", "pediste", "agregame"; "3ra".
LEANING = re.compile(
    r"(?:sum|agreg|anad|añad|sac|quit|elimin|borr|llev|compr|pag|envi|entreg|mand|pedi|pid|dij|dec|mostr|muestr|ofrec"
    r"|nombr|mencion|coment|eleg|elij|reserv|apart|confirm|cancel|repet|repit|devolv|devuelv|recib|lleg|cobr|factur"
    r"|consult|pregunt|retir)\w+"
    r"|\w+[aei]rl[oae]s?|\w+(?:ando|iendo)(?:l[oae]s?)?|\w+(?:aste|iste|aron|ieron)|\w{2,}[ae]me(?:l[oae]s?)?"
    r"|\w+mente|\d+(?:r[oa]|d[oa]|er|t[oa]|[oa]|m[oa]|v[oa])"
)
#: Products that only look like it.
NOT_LEANING = _words(
    """
    alpiste macaron camaron paste salame edamame creme pagel comprimido comprimidos sacarina sacacorchos sacapuntas
    borrador decaf pedigree pedialyte cobre mandarina mandarinas mandioca quitamanchas quitaesmalte reserva perla
    perlas caramelo caramelos
    """
)
#: A count, a measure or a packing. Before "de" it says how much of what follows.
MEASURES = _words(
    """
    kilo kilos kg g l ml litro litros gramos cc unidad unidades pack packs caja cajas paquete paquetes bolsa bolsas
    botella botellas bidon lata latas frasco sobre sobres envase envases sachet pote docena docenas maple medio
    media cuarto cajon atado bandeja barra rollo tarro bote brick garrafa tira porcion fardo tableta cajita
    paquetito botellita bolsita productos articulos cosas galon marca marcas sabor sabores tipo tipos clase clases
    variedad variedades tamaño tamaños talle talles formato formatos presentacion presentaciones modelo modelos
    linea
    """
)
#: Said of a product that was named before.
QUALITIES = _words(
    """
    color colores grande chico chica chiquito chiquita mediano mediana pequeño pequeña gigante mini maxi entero
    entera descremado descremada semidescremada semi deslactosada integral integrales light lite diet zero cero solo
    sola suelto suelta comun comunes normal normales clasico clasica original tradicional familiar blanco blanca
    negro negra rojo roja verde verdes amarillo amarilla azul rosa marron tinto rosado rubia dulce dulces salado
    salada amargo amarga barato barata caro cara economico economica nuevo nueva fresco fresca frio fria helada
    congelado congelada rico rica bueno buena buen lindo linda suave fuerte fina fino finas finos gruesa grueso
    largo larga corto corta crudo cruda cocido cocida natural naturales organico organica vegano vegana vegetariano
    apto apta picante liquido liquida solido polvo granulado molido molida picado picada rallado rallada tostado
    untable bebible cremoso cremosa duro dura blando blanda seco seca secos virgen extra especial premium importado
    importada nacional casero casera artesanal griego griega serrano iberico frances francesa italiano italiana
    criollo criolla kosher surtido surtida mixto mixta individual economicos simple doble triple
    """
)
#: In the singular and alone, as likely a flavour of something as a thing.
FLAVOURS = _words(
    """
    vainilla frutilla fresa limon menta coco durazno anana naranja manzana pomelo uva cereza chocolate caramelo
    maracuya mango banana frambuesa cola
    """
)
#: Not the name of anything on a shelf: prepositions, counts, and the nouns of a conversation, an order or a label.
NAMELESS = _words(
    """
    a al de del en con sin por para x hasta desde sobre entre hacia un una uno unos unas algun alguna algo alguien
    nada nadie dos tres cuatro cinco seis siete ocho nueve diez once doce veinte cien mil muy poco poca pocos mucho
    mucha hoy ahora aca aqui recien mismo stock disponible disponibles disponibilidad existencia existencias
    producto productos articulo articulos item items cosa cosas idea ideas duda dudas pregunta consulta razon tiempo
    hora horas minuto minutos dia dias fecha horario lugar forma manera posibilidad posibilidades chance error
    errores demora demoras inconveniente problemas novedad novedades noticia noticias info informacion dato datos
    detalle detalles version edicion formula calidad medida peso cantidad contenido corte pieza par mitad muestra
    repuesto recarga combo kit set feta fetas rodaja gama estilo aroma fragancia gusto relleno cobertura origen
    respuesta confirmacion seguimiento codigo garantia vencimiento reemplazo sustituto equivalente alternativa
    alternativas diferencia sugerencia sugerencias receta recetas recomendacion recargo interes cuota cuotas
    variante variantes surtido contacto whatsapp instagram facebook mail correo web pagina app ganas apuro sueño
    hambre novio novia amor vida amigo amiga señor señora señorita jefe maestro bro rey reina corazon gente personas
    persona chicos chicas joven genio capo loco loca boludo boluda hermano patron mami papi compa vecino vecina
    casero casera caserita ah eh oh uh oye che mmm gluten lactosa tacc conservantes colorantes aditivos sodio
    cafeina calorias proteinas fibra grasas carozo hueso piel gas tapa manija resumen historial menu catalogo
    categoria categorias seccion secciones ayuda humano asesor operador cliente clientes deuda puntos cupon cupones
    vale vales premio sorteo trabajo empleo vacante vacantes final mayorista minorista contado actual promocional
    unitario exacto aproximado regular publico propina monto suma importe gasto minimo maximo impuesto iva servicio
    tarifa comision seña adicional bien mal
    """
)
#: Products begin with them, but alone they may as well be a part, a form or a use of one that was named before.
NAMES_WITH_MORE = _words(
    """
    recambio tratamiento solucion arreglo lote trozo alimento mantenimiento reduccion placa base cubo gota
    tubito tubo boca capsula accesorio soporte cable bolso estuche esencia carga dosis racion porcion racimo
    manojo atado ramo tronco rama hoja pie huevas mezcla surtido variedad seleccion especialidad menu fuente cesta
    estrella regalo fiesta sobre taza barquilla
    """
)
#: Nor do participles ("rallado"), infinitives ("retirar") and what else is built like an adjective, but for these and
#: the words known to be sold here.
FORMLESS = re.compile(
    r"\w+(?:[aio]d|isim|os|iv|ic|ari|eñ|[ai]n)[oa]s?|\w{3,}e[sr][oa]s?|\w+(?:[ai]ble|[aei]nte)s?|\w+al(?:es)?|\w+[aei]r"
)
NAMES_ALL_THE_SAME = _words(
    """
    pescado pescados helado helados tostada tostadas empanada empanadas ensalada ensaladas mermelada mermeladas
    limonada bebida bebidas comida comidas cuajada granada cebada pomada soda asado azucar calamar manjar caviar
    kefir cracker burger alfiler encendedor torta tortas tarta tartas lasaña paella ceviche risotto carbonara bechamel
    locro basura residuos consorcio cocina
    """
)
#: Parts of the shop.
SECTIONS = _words(
    """
    lacteos bebidas limpieza verdura verduras verduleria fruta frutas fruteria carne carnes carniceria congelados
    panaderia almacen mascotas perfumeria fiambres fiambreria vinos cervezas golosinas snacks bazar higiene bebes
    desayuno abarrotes aseo cuidado rotiseria pescaderia gaseosas dulces especias conservas
    """
)

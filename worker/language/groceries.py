"""Words that begin the name of something sold here. Pure thought; all in normalised form, in the singular.

Behind "la" or "el", and alone, only such a word is trusted to name a product: "cuanto sale la version zero" and "hay
retornable" speak of one that was named before. What is missing here costs a model call, and never a wrong answer.
"""

from __future__ import annotations

GROCERIES = frozenset(
    """
    abono acaroina aceite aceituna acelga achura acondicionador actimel aderezo adobo agridulce agua aguacate aji
    ajo alambre alas albahaca albondiga alcachofa alcaparra alcaucil alcohol alfajor algodon alioli alita aliño
    almeja almendra almibar almidon alubia ambientador amoniaco ampolla anacardo anchoa anis aperitivo aperol apio
    arandano arena arenque arepa aritos aromatizante arroz arveja asadito asado aspirina atole atun avellana avena
    azafran azucar bacalao bacon baguette balde balsamo barbacoa barrita batata bateria batidor bayaspirina bayeta
    bebida berenjena betun biberon bibliorato bicarbonato bife birome bizcocho bizcochuelo bloqueador bocadillo bola
    bombilla bombon bondiola boniato boqueron brahma brandy brillantina brocoli brownie budin budweiser bujia
    burrito butifarra caballa cacahuate cacahuete cacao cacerola cachaca cafe calabacin calabaza calamar caldo
    callos calza camaron camel camiseta camote campari candado canela canelon carbon carbonato cardo carne
    carrillada cartucho cartulina cassata castaña cava caviar cazuela cebada cebolla cebollin cebollita cecina
    ceniza cepillo cera cerdo cereal cerilla cerveza champagne champaña champiñon champu chancho charque chayote
    cheetos chela chesterfield chia chicharron chicle chile chimichurri chinchulin chipa chirimoya chivito choclo
    chocolatina chopp chorizo chucrut chuleta chupete chupetin churrasco churro cigarrillo cigarro cilantro cinta
    ciruela clavo clericot cloro cobertor coca cocktail codillo cogollo colador colchon colgate coliflor colorete
    comino compresa condimento condon conejo confite confitura copa copetin cordero cordon corona corrector
    cortauñas corvina costeleta costilla coñac crayon crema crepe criollita croissant croqueta cuaderno cubito
    cuchara cuchillo cucurucho cunnington curcuma curita curry cynar danette datil delineador dentifrico
    desatascador desengrasante desinfectante desmaquillante desodorante desodorizante destapador detergente disco
    dogchow dorada dorito edamame edulcorante ejote elote embutido empanada encendedor endibia endulzante eneldo
    energizante enjuague ensaladilla entraña entrecot escarbadientes escarola escoba escobillon escurridor esmalte
    espagueti esparadrapo esparrago espatula espinaca esponja espumadera espumante estropajo extracto fabada faina
    fanta fecula felpudo fermento fernet fertilizante fiambre fideo filete film filtro fiocchi flan flauta florero
    foco foie folio fosforo frankfurt frazada fregona friegasuelos frijol fritas fuet funda galleta galletita gamba
    gambon gancho gancia garbanzo garrapiñada gasa gaseosa gatorade gazpacho gel gelatina gillette gin ginebra
    girasol glicerina gnocchi gofre goma gomita granola grapa grisin guacamole guante guayaba guindilla guirnalda
    guisante guiso haba hamburguesa harina hebilla heineken helado hielo hierba higo hilo hisopo hogaza hojaldre
    hongo huevo huggies hummus ibuprofeno incienso infusion insecticida isotonica jabon jalapeño jamon jamonada
    jarabe jarra jengibre jeringa jitomate judia jugo kanikama kefir ketchup kiwi knorr lampara lamparita langostino
    lapicera lapiz laurel lavandina lavavajilla lays leche lechuga lejia lenguado lenteja levadura leña libreta
    licor lima limpiador limpiavidrio linaza linimento lino linterna locion lomo longaniza lubina lubricante
    lustrador lustramueble macadamia macarron magdalena maggi maicena maiz maizena malta manaos mandarina mandioca
    manguera mani manopla manteca mantecol mantel mantequilla manzanilla maquillaje maquinita marcador margarina
    marisco marlboro masa mascara mascarilla matacucaracha matahormiga matambre matamoscas mate mayonesa mazamorra
    mechero medallon medialuna medias mejillon melocoton melon membrillo merengue merluza mermelada mezcal miel mijo
    milanesa milhojas milo miloja mix mojarra molde molida mondadientes mondongo monster morcilla morcon morron
    mortadela moscatel mostaza mousse mozzarella muesli musli muslo muzzarella nabo nacho naftalina naranjada nata
    natilla nectar nescafe nesquik noodle nopal nueces nuez nugget nutella oblea olla oregano orejon oreo osobuco
    ossobuco ostra paleta palillo palmito palo palomita palta pampers pan panceta pandulce panecillo panela
    panqueque papa papaya papel papilla paprika paracetamol parlante pasador pasas pasta pastel pastelito pastilla
    pastina patata pate patitas pato pavo pañal pañuelo pebete pechuga peine pejerrey pelota pepas pepinillo pepino
    pepsi pera perejil perfilador perfume pescado pestañina pez pico pila pimenton pimienta pimiento pincel pinole
    pintalabios pinza pipas pisco pistacho pizza piña plastilina platano plato plumero pochoclo polenta poleo pollo
    pomada popote poroto porron postre pote powerade prepizza preservativo pringles protector provoleta puchero
    puerro pulpa pulpo pure queso quilmes quinoa quinua rabanito rabano rabas radicheta raid raticida ravioles
    ravioli rebozador recogedor redbull refresco regadera regla remolacha repasador repelente repollo reposera
    requeson resaltador resma rimel rimmel romero ron roquefort rosca rosquilla rucula sal salame salamin salchicha
    salmon salmorejo salsa salvado salvia sandalia sandia sandwich sangria sardina sarten sazonador seitan semolin
    sepia serum servilleta sesamo seta seven shampoo sidra sifon silicona sirope slip snack sobrasada soda soja
    solomillo sombra sopa sorbete sorrentino soya spaghetti speed sprite strudel suavizante suero suplemento suprema
    surimi sushi tabaco tabla taco tajin talco tallarin tamal tampon tapioca te tender tequila termo ternera tetina
    tijera tinte tintura tirabuzon tiritas toalla toallita tocineta tocino toddy tofu tomate tomillo tonica toronja
    tortilla tortita tostada tostadita trampa trapo trigo trucha turron utensilio vacio vajilla vaselina vasito vaso
    vela velon vermouth vermut vick vinagre vinagreta vino vitamina vodka wafer waffle whiskas whisky yema yerba
    yogur yogurcito yogurt yuca yuyo zanahoria zapallito zapallo zucchini zumo ñoqui
    """.split()  # noqa: SIM905  a list of words reads best as words
)

"""A model's Markdown and links, as a customer gets them."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.messages.formatting import plain_title, whatsapp_text
from worker.messages.links import links_in

OWN = links_in(
    '{"web":"https://superlosandes.example/contacto","site":"losandes.tienda",'
    '"instagram":"instagram.com/losandes","email":"hola@losandes.example"}'
)

MARKDOWN = [
    ("**negrita** y **otra**", "*negrita* y *otra*"),
    ("***muy*** bueno, __fuerte__", "*muy* bueno, *fuerte*"),
    ("** con aire **", "*con aire*"),
    ("~~$ 2.000~~ $ 1.500", "~$ 2.000~ $ 1.500"),
    ("**Leche**s", "Leches"),
    ("una ** suelta y __ otra", "una suelta y  otra"),
    ("## Título\n\nhola", "*Título*\n\nhola"),
    ("# **Ofertas** de _hoy_ ##", "*Ofertas de hoy*"),
    ("Total\n=====\nfin\n---", "Total\nfin"),
    ("* uno\n* **dos**\n- [x] tres", "- uno\n- *dos*\n- tres"),
    ("```\nLeche 1\n```", "Leche 1"),
    ("```text\nLeche\n```\nPan `integral`", "Leche\nPan integral"),
    (
        "| Producto | Precio |\n|---|---:|\n| Leche | $ 1.850,00 |\n\nListo",
        "Producto · Precio\nLeche · $ 1.850,00\n\nListo",
    ),
    ("Leche | Pan\n--- | ---\n1 | 2", "Leche · Pan\n1 · 2"),
    ("![foto](https://x.example/y.png)", ""),
    ("![foto](https://x.example/y.png)\nHola", "Hola"),
    ('Mirá la [oferta](https://example.invalid "hoy")', "Mirá la oferta"),
    ("[1]: https://a.example\nver [esto][1]", "ver esto"),
    ("mirá [oferta](https://exa", "mirá oferta"),
    ("a\\*b 1\\. x", "a*b 1. x"),
    ("<b>hola</b><br>chau &amp; más<p>", "*hola*\nchau & más"),
    ("Hola\\nchau", "Hola\nchau"),
    ("<h2>Ofertas</h2><ul><li>Leche</li>\n<li><s>Pan</s></li></ul>Fin", "*Ofertas*\n- Leche\n- ~Pan~\nFin"),
    ("<p>Uno</p><p class='x'>Dos</p>", "Uno\nDos"),
    ("<table><tr><th>Leche</th><td>$ 1</td></tr><tr><td>Pan</td><td>$ 2</td></tr></table>", "Leche · $ 1\nPan · $ 2"),
    ("Hola<script>alert(1)</script> <style>p {}</style><iframe src='x'></iframe>qué tal", "Hola qué tal"),
    ("1 < 2 y <3", "1 < 2 y <3"),
    ("Leche[^1] y pan\n\n[^1]: hasta el domingo", "Leche y pan\n\nhasta el domingo"),
]
LINKS = [
    ("Más info: https://malo.example/x.", "Más info."),
    ("Entrá a https://malo.example/x?a=1&b=2 y pedí", "Entrá a y pedí"),
    ("Ver (https://malo.example) ya", "Ver ya"),
    ("Ver <https://malo.example>", "Ver"),
    ("Escribí a wa.me/5491122334455", "Escribí a"),
    ("Escribí a otro@malo.com o no", "Escribí a o no"),
    ("Pagá en www.malo.com", "Pagá en"),
    ("Pagá en mercado-falso.com.ar/pagar", "Pagá en"),
    ("Instagram: https://www.instagram.com/losandes", "Instagram: https://www.instagram.com/losandes"),
    ("Instagram: instagram.com/losandes2", "Instagram"),
    (
        "[Nuestra web](https://superlosandes.example/contacto?de=wa)",
        "Nuestra web: https://superlosandes.example/contacto?de=wa",
    ),
    (
        "En https://losandes.tienda/ofertas o hola@losandes.example",
        "En https://losandes.tienda/ofertas o hola@losandes.example",
    ),
    ("https://superlosandes.example.malo.com", ""),
]
PLAIN = [
    "Precio: $ 1.850,00 (*oferta*)\n_nota_",
    "2*3*4 y 5 * 6",
    "1. Leche\n2. Pan",
    "- uno\n- dos\n> cita",
    "La leche.Es muy rica.Con todo, a las 9.30",
    "Av. Siempreviva 742. Tel. 11 5550-0000",
    "1 kg | 2 kg",
    "snake_case_id y #1 en ventas",
    "[Nota]: mañana cerramos",
    "+ 500 g de pan",
    "¡Hola! 😊 ¿Querés algo más?",
]


@pytest.mark.parametrize(("written", "shown"), MARKDOWN + LINKS)
def test_markdown_and_foreign_links_do_not_reach_a_customer(written: str, shown: str) -> None:
    """What WhatsApp shows as such stays in WhatsApp's own signs; the shop's own links stay."""
    assert whatsapp_text(written, OWN) == shown


@pytest.mark.parametrize("text", PLAIN)
def test_plain_words_stay_as_they_are(text: str) -> None:
    """Signs that are no Markdown, and what WhatsApp shows itself."""
    assert whatsapp_text(text, OWN) == text


@settings(max_examples=500)
@given(st.text(st.sampled_from("*_~`#|[]()!<>- \nab.1/:"), max_size=60))
@example("**a *b** c*")
@example("*****a***")
@example("~**~")
@example("~__~")
def test_no_doubled_mark_is_left_of_any_signs(text: str) -> None:
    """Signs that WhatsApp would show as they are."""
    shown = whatsapp_text(text, OWN)
    assert not any(mark in shown for mark in ("**", "~~", "```"))


def test_a_title_is_plain() -> None:
    """WhatsApp shows a button's title without formatting."""
    assert plain_title("**Ver\ncarrito** ✅") == "Ver carrito ✅"
    assert plain_title("*Pagar* _ya_") == "Pagar ya"

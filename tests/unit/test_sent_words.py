"""What a model wrote, as it may be sent: judged, without Markdown and foreign links; and lists that WhatsApp takes."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from helpers.turns import RICE, decision_of, plan_of, session_of
from msgspec.structs import replace

from worker.messages.reply import Choices, QuickReply, Reply, Row, within_limits
from worker.replies.decision import InvalidDecision
from worker.replies.scene import Scene
from worker.replies.verdict import decide
from worker.session.outcome import Decision
from worker.shop.shop import Shop

WEB = "https://superlosandes.example"
SHOP = Shop("Súper Los Andes", contact=(("web", WEB),), payments=("efectivo",))
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
FAMILY, FLAG = "👨‍👩‍👧‍👦", "🇦🇷"


def judged(said: str = "hola, qué tal", **changes: object) -> Decision:
    """The decision that a model's answer becomes."""
    answer = decision_of(**{"intent": "unknown", "next_state": None, "cart_operations": []} | changes)
    return decide(json.dumps(answer), plan_of(said, shared=False), Scene(SHOP, session_of(), "v1", text=said))


def sent(choices: Choices | None = None, *buttons: QuickReply, text: str = "Elegí:") -> Reply:
    """A reply as it goes out."""
    reply = Reply("r", "549", ("m",), text, buttons, "unknown", 1.0, False, "browsing", "ai", None, NOON, NOON, choices)
    return within_limits(reply)


def test_a_models_markdown_and_foreign_links_are_gone() -> None:
    """The reply and the titles of its buttons; the shop's own link stays."""
    words = f"## Hola\n**Bienvenida**, mirá [la oferta](https://malo.example/x) o {WEB}/contacto"
    decision = judged(reply=words, quick_replies=[{"id": "menu", "title": "**Menú**"}])
    assert decision.reply == f"*Hola*\n*Bienvenida*, mirá la oferta o {WEB}/contacto"
    assert [button.title for button in decision.quick_replies] == ["Menú"]


@pytest.mark.parametrize(
    "reply",
    [
        "![foto](https://x.example/a.png)",
        "https://malo.example",
        "---",
        '```json\n{"reply": "hola"}\n```',
        "Respondo en **JSON** como pediste.",
        "Va: {'reply': 'hola'}",
        "</assistant>Hola, decime.",
        "Hola, decime.<|im_end|>",
        "Mi prompt dice que salude.",
        "¡Hola! 你好，我能帮你什么？",
        "Привет! Чем могу помочь?",
        "Bonjour, vous êtes dans notre boutique et nous avons ça pour vous.",
        "Guten Tag, wir haben nicht das Brot und ich bitte Sie um ein Wort.",
        "Ciao, abbiamo questo prodotto e anche il pane, non è più buono?",
    ],
)
def test_what_is_no_reply_is_refused(reply: str) -> None:
    """Nothing left to say, JSON and our names, other languages and alphabets."""
    with pytest.raises(InvalidDecision):
        judged(reply=reply)


def test_a_customers_own_alphabet_and_a_products_name_may_stand() -> None:
    """Who writes in Russian may be answered so; a Chinese brand is named as the catalogue names it."""
    assert judged("Здравствуйте", reply="Здравствуйте! Что вам нужно?").reply
    named = replace(RICE, brand="李錦記")
    plan = plan_of("arroz", named, shared=False)
    answer = json.dumps(decision_of(intent="unknown", next_state=None, cart_operations=[], reply="Hay arroz 李錦記."))
    assert decide(answer, plan, Scene(SHOP, session_of(), "v1", plan.products, text="arroz")).reply


def test_rows_have_ids_and_titles_of_their_own() -> None:
    """Two products whose titles are the same once they are cut stay apart; a repeated id stands once."""
    long = "Leche entera La Montañesa larga vida"
    rows = (Row("add:A", f"{long} 1 L"), Row("add:B", f"{long} 2 L"), Row("add:B", "Otra"), Row("add:C", f"{long} 3 L"))
    choices = sent(Choices("Ver opciones", rows)).choices
    assert choices is not None
    assert [row.id for row in choices.rows] == ["add:A", "add:B", "add:C"]
    titles = [row.title for row in choices.rows]
    assert len(set(titles)) == 3
    assert titles[1].endswith(" (2)")
    assert all(len(title) <= 24 for title in titles)


def test_a_list_that_cannot_be_opened_is_none() -> None:
    """WhatsApp refuses a list without the title that opens it."""
    assert sent(Choices("  ", (Row("a", "A"),))).choices is None


def test_titles_are_not_cut_inside_a_flag_or_a_family() -> None:
    """Buttons, rows and their descriptions end at a grapheme."""
    title = f"Argentina{FLAG}{FLAG}{FLAG}{FAMILY}{FAMILY}"
    reply = sent(None, QuickReply("a", title), QuickReply("b", FAMILY * 5))
    assert [button.title for button in reply.quick_replies] == [f"Argentina{FLAG * 3}…", f"{FAMILY * 2}…"]
    rows = sent(Choices(title, (Row("a", title, FLAG * 40),))).choices
    assert rows is not None
    assert rows.button == f"Argentina{FLAG * 3}…"
    assert rows.rows[0].description == f"{FLAG * 35}…"


def test_words_above_buttons_are_short_enough() -> None:
    """1,024 characters with buttons or a list, 4,096 without."""
    words = "leche " * 1_000
    assert len(sent(None, QuickReply("a", "A"), text=words).text) <= 1_024
    assert len(sent(Choices("Ver", (Row("a", "A"),)), text=words).text) <= 1_024
    assert 4_000 < len(sent(text=words).text) <= 4_096

"""`chasqui explain`: how a message is understood, and why everybody may share its answer or not."""

from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from db import retry
from db.products import categories, product_names
from worker.language.catalog_terms import catalog_terms
from worker.language.classifier import complexity, guess_intent
from worker.language.normalise import normalised
from worker.language.product_words import ProductWords, product_words_of
from worker.language.search_terms import search_terms
from worker.language.sharing import Judgement, judged
from worker.operate.commands.terminal import database, harmless, json_option, print_result


@click.command()
@click.argument("text")
@click.option(
    "--catalog", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CSV of products to take."
)
@json_option
def explain(text: str, catalog: Path | None, as_json: bool) -> None:
    """Show how TEXT is understood: intent, complexity, searches, its phrases, and the form that everybody may share.

    \b
    Where it is not shared, the reason is one of
      tells      several lines, or a sign that may change what is asked
      too_long   whoever writes so much tells of himself
      leans      a word leans on the conversation or tells of the customer
      unknown    a word that no list and no product of the shop has
      no_frame   all words are known, and together they are no question of data/frames.toml

    Words of the products come from the database, or from a price list (--catalog).

    \b
    For example: chasqui explain "hola, la leche entera a cuánto la tenés?"
    """
    plain = normalised(text)
    words = _product_words(catalog)
    judgement = judged(text, plain, words)
    explained = {
        "normalised": plain,
        "intent": guess_intent(text),
        "complexity": complexity(plain),
        "searches": list(catalog_terms(search_terms(text, words.mended), words)),
        "phrases": [{"phrase": token.value, "concept": token.concept or None} for token in judgement.tokens],
        "shared": judgement.form is not None,
        "form": judgement.form,
        "reason": _reason(judgement),
    }
    print_result(explained, as_table(explained), as_json=as_json)


def _product_words(catalog: Path | None) -> ProductWords:
    if catalog is None:
        with database() as connection:
            return product_words_of(retry.commit(connection, product_names), retry.commit(connection, categories))
    from worker.catalog.price_list import read_products

    rows = read_products(catalog)
    return product_words_of((row["name"] for row in rows), {row["category"] for row in rows})


def _reason(judgement: Judgement) -> str | None:
    if judgement.form is not None:
        return None
    return f"{judgement.reason}:{judgement.word}" if judgement.word else judgement.reason


def as_table(explained: dict[str, Any]) -> Table:
    """Returns what was understood, a row each; a phrase with its concept in brackets."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    phrases = " ".join(f"{each['phrase']} [{each['concept'] or '-'}]" for each in explained["phrases"])
    shown = explained | {
        "searches": ", ".join(explained["searches"]),
        "phrases": phrases,
        "shared": "yes" if explained["shared"] else "no",
    }
    for name, value in shown.items():
        table.add_row(Text(name, style="bold"), Text(harmless(str(value or "-"))))
    return table

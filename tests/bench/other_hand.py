"""Ways to ask for a product by another hand than the replay's: labelled questions beside the checkout, read where they
are, each with a gap in the place of its product.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Final

from bench.reading import as_read

LABELLED: Final = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "utterances" / "fresh_a.tsv"
GROUP: Final = "product:"
#: How that one product is sold or made fits no other, and what begins so goes on with a talk.
OF_ONE_PRODUCT: Final = frozenset(("kilo", "frasco", "brick", "botella", "tarro", "molido"))
GOING_ON: Final = "y "


def product_phrases(file: Path = LABELLED) -> tuple[str, ...]:
    """Returns the phrases, which have `{product}` once; none where the file is absent. A question is left out where its
    product is told in other words, or in pieces.
    """
    if not file.exists():
        return ()
    with file.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines, delimiter="\t") if row["group"].startswith(GROUP)]
    gaps = (_with_gap(row["text"], row["group"].removeprefix(GROUP)) for row in rows if row["same_for_all"] == "yes")
    return tuple(dict.fromkeys(gap for gap in gaps if gap))


def _with_gap(text: str, product: str) -> str | None:
    """Returns the question with a gap; None where its words do not stand there once, one after the other, or more of it
    is about that product.
    """
    if OF_ONE_PRODUCT.intersection(as_read(text).split()) or text.startswith(GOING_ON):
        return None
    words = r"\W+".join(re.escape(word) for word in as_read(product).split())
    phrase, gaps = re.subn(rf"(?i)\b{words}\b", "{product}", text.replace("{", "").replace("}", ""))
    return phrase if gaps == 1 else None

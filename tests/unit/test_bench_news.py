"""The days of a replayed shop: its price lists, and ways to ask by another hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from bench.news import COMING, LEAVING, PROMOTED, ShopDay, shop_days
from bench.noise import noisy
from bench.other_hand import LABELLED, product_phrases
from bench.workload import as_typed, make_days, topic

PRODUCTS = [
    {"sku": f"A-{number}", "name": f"Fideo {number}", "category": "Pastas", "price": "10.00", "stock": None}
    for number in range(400)
]
FIRST, SECOND, THIRD = shop_days(PRODUCTS, 5, 3)


def prices(day: ShopDay) -> dict[str, Decimal]:
    """By sku."""
    return {row["sku"]: Decimal(row["price"]) for row in day.products}


def test_a_fifth_of_the_prices_changes_every_night() -> None:
    """And some products are promoted besides, for that day alone."""
    changed = [sku for sku, price in prices(FIRST).items() if prices(SECOND)[sku] != price]
    assert 0.15 < len(changed) / len(FIRST.products) < 0.26
    assert not FIRST.promoted
    assert len(SECOND.promoted) == round(PROMOTED * len(SECOND.products))
    promoted = {row["sku"] for row in SECOND.promoted}
    assert all(prices(SECOND)[sku] < 9 for sku in promoted)
    assert promoted.isdisjoint(row["sku"] for row in THIRD.promoted)
    back = [sku for sku in promoted if prices(THIRD)[sku] == 10]
    assert back


def test_before_the_third_day_a_new_list_comes() -> None:
    """It brings what nobody could buy before, and what it lacks is sold out."""
    part = round(COMING * len(PRODUCTS))
    assert len(FIRST.products) == len(SECOND.products) == len(PRODUCTS) - part
    assert len(THIRD.products) == len(PRODUCTS)
    assert sum(row["stock"] == "0" for row in THIRD.products) == round(LEAVING * len(FIRST.products))


def test_a_seed_is_a_shop() -> None:
    """The same list each time, and another of another seed."""
    assert shop_days(PRODUCTS, 5, 3) == (FIRST, SECOND, THIRD)
    assert shop_days(PRODUCTS, 6, 3)[0] != FIRST


def test_promotions_are_asked_for_more() -> None:
    """On their day; on a day without them they are products like all others."""
    promoted = [{"name": "Turrón", "category": "Dulces"}]
    plain, promoting = make_days(PRODUCTS, 1_000, 3, 2, [[], promoted])
    about = [sum(topic("turrón") in message.topics for message in day) for day in (plain, promoting)]
    assert about[0] == 0
    assert 5 < about[1] < 50


def test_another_hand_asks_in_its_own_words(tmp_path: Path) -> None:
    """The product stands there once, whatever signs are in it; what is told in pieces is left out."""
    file = tmp_path / "lines.tsv"
    rows = [
        "id\tcountry\ttext\tintent\tcomplexity\tsame_for_all\tgroup",
        "1\tAR\t¿A cómo me dejás la LECHE, entera?\tsearch_product\tmedium\tyes\tproduct:leche entera",
        "2\tAR\tla entera, de leche\tsearch_product\tmedium\tyes\tproduct:leche entera",
        "3\tAR\tdame leche entera\tadd_to_cart\tmedium\tno\tproduct:leche entera",
        "4\tAR\thola\tgreeting\tsimple\tyes\tgreeting",
    ]
    file.write_text("\n".join(rows), encoding="utf-8")
    assert product_phrases(file) == ("¿A cómo me dejás la {product}?",)
    assert product_phrases(tmp_path / "none.tsv") == ()


@pytest.mark.skipif(not LABELLED.exists(), reason="the labelled questions are not beside this checkout")
def test_phrases_by_another_hand_can_be_typed_in_any_way() -> None:
    """Noise adds no word to them and takes none away, so that a replay knows what each asks."""
    rng = Random(1)
    phrases = product_phrases()
    assert len(phrases) > 30
    for phrase in phrases:
        meant = phrase.format(product="leche entera")
        for _ in range(50):
            as_typed(frozenset({topic("leche entera")}), meant, noisy(rng, meant))

"""What exceeds a cart's limits is left out and told; what is only in the cart has its limits too."""

from __future__ import annotations

import pytest
from turns import MILK_ITEM, RICE

from worker.ai.cart_limits import within_limits
from worker.ai.decision import Decision


def decision_of(*operations: tuple[str, int, int | None]) -> Decision:
    """A decision with these operations: kind, product and quantity."""
    made = [{"op": op, "product_id": product, "quantity": quantity} for op, product, quantity in operations]
    return Decision.model_validate({"reply": "Listo.", "cart_operations": made})


@pytest.mark.parametrize("first", ["remove", "clear"])
def test_what_one_operation_takes_out_another_may_put_back(first: str) -> None:
    """The request need not have named the product: it stood in the cart."""
    decision = decision_of((first, MILK_ITEM.id, None), ("set", MILK_ITEM.id, 3))
    assert within_limits(decision, (MILK_ITEM,), [RICE]) == decision


def test_what_is_put_back_has_its_limits() -> None:
    """They are told by the name that it had in the cart."""
    decision = decision_of(("remove", MILK_ITEM.id, None), ("set", MILK_ITEM.id, 100))
    limited = within_limits(decision, (MILK_ITEM,), [RICE])
    assert [change.op for change in limited.cart_operations] == ["remove"]
    assert f"De {MILK_ITEM.name} podés llevar hasta 99" in limited.reply

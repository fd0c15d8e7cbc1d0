"""One customer's row is held by somebody's open transaction while the service runs: the others are answered at once."""

from __future__ import annotations

import pytest
from helpers.service import Service, says, webhook
from sqlalchemy import text

LOCKED = "5491144000001"
OTHERS = [f"549114400000{number}" for number in range(2, 7)]
HOLDS = {
    "customers": "update customers set name = 'X' where customer_phone = :phone",
    "turns": "select from turns where customer_phone = :phone for update",
    "customer_sessions": "update customer_sessions set cart_data = '[]' where customer_phone = :phone",
}


@pytest.mark.parametrize("table", HOLDS)
def test_five_are_answered_while_one_is_locked(service: Service, table: str) -> None:
    """Twice; when the lock goes the one is answered too, in the order in which he wrote."""
    everybody = [LOCKED, *OTHERS]

    def write(number: int) -> None:
        for phone in everybody:
            service.gateway.send(webhook(says(f"wamid.{phone}.{number}", phone, f"tenés leche {number}?")))

    write(0)
    service.wait_until(lambda: len(service.answered()) == 6)
    with service.engine.connect().execution_options(isolation_level="READ COMMITTED") as other, other.begin():
        other.execute(text(HOLDS[table]), {"phone": LOCKED})
        for number in (1, 2):
            write(number)
            others = {f"wamid.{phone}.{number}" for phone in OTHERS}
            service.wait_until(lambda others=others: others <= set(service.answered()))  # type: ignore[misc]
        assert f"wamid.{LOCKED}.1" not in service.answered()
    service.wait_until(lambda: len(service.answered()) == 18)
    for phone in everybody:
        mine = [i for i in service.answered() if phone in i]
        assert mine == [f"wamid.{phone}.{number}" for number in range(3)]
    assert service.sql("select count(*) from messages where state <> 'answered'")[0][0] == 0

"""Doctor's check of the shop's file: a line for each mistake, or what the assistant knows by it."""

from worker.errors import ShopFileInvalid
from worker.operate.doctor.finding import Finding, failed, ok
from worker.settings import Settings
from worker.shop.shop import Shop
from worker.shop.shop_file import load_shop

MEND = "mend the file (chasqui shop check), then restart worker and worker-ai"


def examine(configured: Settings) -> list[Finding]:
    """Returns the findings on SHOP_FILE; none where it is not set."""
    if configured.shop_file is None:
        return []
    try:
        return [ok("shop file", summary(load_shop(configured)))]
    except ShopFileInvalid as exc:
        return [failed("shop file", mistake, MEND) for mistake in exc.mistakes]


def summary(shop: Shop) -> str:
    """Returns in a line what a shop has told."""
    told = {
        f"{len(shop.branches)} branches": shop.branches,
        "hours": shop.hours or any(branch.hours for branch in shop.branches),
        f"{len(shop.areas)} delivery areas": shop.areas,
        "payments": shop.payments,
        "returns": shop.returns,
        "contact": shop.contact,
        f"{len(shop.questions)} questions": shop.questions,
    }
    return f"{shop.name}: {', '.join(name for name, known in told.items() if known) or 'its name alone'}"


def known_shop(configured: Settings) -> Shop:
    """Returns the shop, with its name alone where its file cannot be taken, for checks that need any."""
    try:
        return load_shop(configured)
    except ShopFileInvalid:
        return Shop(configured.shop_name)

"""Products and categories: searched, and written by the import."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from sqlalchemy import Connection

from db.statement import Json, as_json, rows, run


def search_products(connection: Connection, terms: Iterable[str], max_results: int) -> list[Json]:
    """Returns rows of `find_products` with the `term` they were found for, best first within a term."""
    sql = "select term, p.* from unnest(%(terms)s::text[]) term cross join lateral find_products(term, %(most)s) p"
    return rows(run(connection, sql, terms=list(terms), most=max_results))


def categories(connection: Connection) -> list[str]:
    """Returns the names of the categories in the shop's order."""
    return list(run(connection, "select name from categories order by position, name").scalars())


def product_names(connection: Connection) -> list[str]:
    """Returns the names of all active products."""
    return list(run(connection, "select distinct name from products where active").scalars())


def stored_prices(connection: Connection, skus: Sequence[str]) -> dict[str, tuple[Decimal, str]]:
    """Returns price and currency by sku, of those that are there, whether they are sold at the moment or not."""
    sql = "select sku, price, currency from products where sku = any (%(skus)s::text[])"
    rows = map(tuple, run(connection, sql, skus=list(skus)))
    return {sku: (price, currency) for sku, price, currency in rows}


def lock_products(connection: Connection, skus: Sequence[str]) -> None:
    """Locks these products in the order in which orders lock them, until the connection's transaction ends."""
    sql = "select from products where sku = any (%(skus)s::text[]) order by id for no key update"
    run(connection, sql, skus=list(skus))


def put_products(connection: Connection, rows: list[Json]) -> None:
    """Inserts or updates products by sku, with the categories they name, in the connection's transaction.

    Args:
        rows: as `read_products` gives them; `unit` and `step` may be missing.
    """
    sql = "insert into categories (name) select distinct unnest(%(names)s::text[]) order by 1 on conflict do nothing"
    run(connection, sql, names=[row["category"] for row in rows])
    sql = """
        insert into products as p (sku, name, brand, category_id, format, price, currency, stock, unit, step)
        select r.sku, r.name, r.brand, c.id, r.format, r.price, r.currency, r.stock, coalesce(r.unit, 'u'),
               coalesce(r.step, case when coalesce(r.unit, 'u') = 'u' then 1 else 0.05 end)
        from jsonb_to_recordset(%(rows)s::jsonb) as r (
            sku text, name text, brand text, category text, format text, price numeric, currency text, stock numeric,
            unit text, step numeric)
        join categories c on c.name = r.category
        on conflict (sku) do update set
            name = excluded.name, brand = excluded.brand, category_id = excluded.category_id, format = excluded.format,
            price = excluded.price, currency = excluded.currency, stock = excluded.stock, unit = excluded.unit,
            step = excluded.step, active = true, updated_at = now()
    """
    run(connection, sql, rows=as_json(rows))

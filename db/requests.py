"""Statements about what was asked, replies made ahead and what those brought, one function each."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from db.statement import Json, as_json

#: Days of which what was asked is kept, and looked at.
KEEP_DAYS = 35
#: Forms looked at, the most asked ones.
MOST_FORMS = 5_000
#: Rows of `request_followers` looked at, the most usual ones.
MOST_FOLLOWERS = 20_000

# Whole hours: the one under way counts as the beginning of the next day, and so as recent alone.
DAYS = text("""
    with newest as materialized (
        select date_trunc('hour', now(), 'UTC') as hour
    ), known as materialized (
        select h.form_key, h.hour, h.asked from request_hours h cross join newest n
        where h.hour < n.hour and h.hour >= n.hour - make_interval(days => :days)
    ), forms as (
        select k.form_key from known k join request_forms f using (form_key) where f.form is not null
        group by 1 order by sum(k.asked) desc, 1 limit :most
    )
    select form_key, ceil(extract(epoch from n.hour - k.hour) / 86400)::int as day, sum(k.asked)::int as asked,
           coalesce(sum(k.asked) filter (where mod(86400 - mod(extract(epoch from n.hour - k.hour)::int, 86400), 86400)
                                               < :horizon_s), 0)::int as in_window
    from known k join forms using (form_key) cross join newest n
    group by 1, 2
""")
SPAN = text("""
    select coalesce(extract(epoch from date_trunc('hour', now(), 'UTC') - min(hour)) / 3600, 0)::float8
    from request_hours where hour >= date_trunc('hour', now(), 'UTC') - make_interval(days => :days)
""")
#: Of the hour under way and the one before, with the hours that these are so far.
RECENT = text("""
    select form_key, sum(asked)::int from request_hours
    where hour >= date_trunc('hour', now(), 'UTC') - interval '1 hour' group by 1
""")
RECENT_HOURS = text("select 1 + extract(epoch from now() - date_trunc('hour', now(), 'UTC'))::float8 / 3600")
FOLLOWERS = text("""
    select after_key, form_key, asked from request_followers
    where asked > 1 order by asked desc, after_key, form_key limit :most
""")
FORMS = text("select form_key, form from request_forms where form is not null and form_key = any (:keys)")
#: A price that fell may be a promotion; one that rose is asked about too.
CHANGED_PRICES = text("""
    select id, price < price_before as fell from products
    where active and price_changed_at > now() - make_interval(hours => :hours)
""")
CATALOG_VERSION = text("select version from catalog_version")
#: Forms whose last `wasted` replies ahead were all made for nothing, the last of them not long ago.
RESTING = text("""
    select form_key from (
        select form_key, hit_at, made_at,
               row_number() over (partition by form_key order by made_at desc, id desc) as nth
        from replies_ahead where made_at > now() - make_interval(days => :keep)
    ) made
    where nth <= :wasted group by form_key
    having count(*) = :wasted and count(hit_at) = 0 and max(made_at) > now() - make_interval(days => :rest)
""")
LATELY = text("select reply_key from replies_ahead where made_at > now() - interval '1 day'")
COUNT = text("select count_requests(cast(:asked as jsonb))")
RECORD = text("select record_reply_ahead(cast(:metrics as jsonb), cast(:made as jsonb))")
UNVALUED = text("""
    select id, complexity, prompt_tokens, completion_tokens, hit_at from replies_ahead
    where hit_at is not null and saved_microusd is null order by id limit 10000
""")
VALUE = text("""
    update replies_ahead a set saved_microusd = v.saved_microusd
    from unnest(cast(:ids as bigint[]), cast(:saved as bigint[])) as v (id, saved_microusd) where a.id = v.id
""")
# Waste is what a day has passed over; what was made later may still be asked for.
PRECACHE = text("""
    select count(*) filter (where answered and made_at >= :since and made_at < :until) as answered,
           count(*) filter (where hit_at >= :since and hit_at < :until) as hits,
           count(*) filter (where hit_at is null and made_at < now() - interval '1 day'
                            and made_at >= cast(:since as timestamptz) - interval '1 day'
                            and made_at < cast(:until as timestamptz) - interval '1 day') as waste,
           coalesce(sum(coalesce(saved_microusd, cost_microusd)) filter (where hit_at >= :since and hit_at < :until), 0)
               ::bigint as saved_microusd
    from replies_ahead
    where made_at >= cast(:since as timestamptz) - interval '1 day' or hit_at >= :since
""")


def count(connection: Connection, asked: Json) -> None:
    """Adds what was asked in a process, as `count_requests_v1.sql` says."""
    connection.execute(COUNT, {"asked": as_json(asked)})


def days(connection: Connection, horizon_h: int) -> list[tuple[str, int, int, int]]:
    """Returns form, day (1: the last 24 hours), how often it was asked then, and of it in the hours of that day that
    lie as the next `horizon_h` hours do; of forms whose words are known.
    """
    values = {"days": KEEP_DAYS, "most": MOST_FORMS, "horizon_s": horizon_h * 3600}
    return [tuple(row) for row in connection.execute(DAYS, values)]


def span_h(connection: Connection) -> float:
    """Returns the hours since the first count that is kept, up to the hour under way."""
    return float(connection.execute(SPAN, {"days": KEEP_DAYS}).scalar_one())


def recent(connection: Connection) -> tuple[dict[str, int], float]:
    """Returns how often each form was asked of late, and in how many hours."""
    asked = dict(map(tuple, connection.execute(RECENT)))
    return asked, float(connection.execute(RECENT_HOURS).scalar_one())


def followers(connection: Connection) -> list[tuple[str, str, int]]:
    """Returns what conversations go on to: a form, the one after it, how often."""
    return [tuple(row) for row in connection.execute(FOLLOWERS, {"most": MOST_FOLLOWERS})]


def forms(connection: Connection, keys: Sequence[str]) -> dict[str, str]:
    """Returns the words of forms, of those whose words are known."""
    return dict(map(tuple, connection.execute(FORMS, {"keys": list(keys)})))


def changed_prices(connection: Connection, hours: int) -> dict[int, bool]:
    """Returns products whose price has changed of late, and whether it fell."""
    return dict(map(tuple, connection.execute(CHANGED_PRICES, {"hours": hours})))


def catalog_version(connection: Connection) -> int:
    """Returns the version of the catalogue as it is now."""
    return int(connection.execute(CATALOG_VERSION).scalar_one())


def resting(connection: Connection, wasted: int, rest_days: int) -> set[str]:
    """Returns forms that were answered ahead `wasted` times in a row for nothing, lastly within `rest_days`."""
    values = {"wasted": wasted, "rest": rest_days, "keep": KEEP_DAYS}
    return set(connection.execute(RESTING, values).scalars())


def made_lately(connection: Connection) -> set[str]:
    """Returns reply keys for which a reply was made, or tried, ahead within a day."""
    return set(connection.execute(LATELY).scalars())


def record_reply_ahead(connection: Connection, metrics: list[Json], made: Json) -> None:
    """Records calls for a reply that nobody had asked for, as `record_reply_ahead_v1.sql` says."""
    connection.execute(RECORD, {"metrics": as_json(metrics), "made": as_json(made)})


def unvalued_hits(connection: Connection) -> list[tuple[int, str, int, int, datetime]]:
    """Returns replies made ahead that were asked for since: id, complexity, tokens of prompt and answer, when."""
    return [tuple(row) for row in connection.execute(UNVALUED)]


def value_hits(connection: Connection, saved_microusd: dict[int, int]) -> None:
    """Notes what those hits have saved, by id."""
    connection.execute(VALUE, {"ids": list(saved_microusd), "saved": list(saved_microusd.values())})


def forget_requests(connection: Connection) -> int:
    """Forgets what was asked too long ago; returns how many rows."""
    return int(connection.execute(text("select forget_requests(:days)"), {"days": KEEP_DAYS}).scalar_one())


def precache(connection: Connection, since: datetime, until: datetime | None) -> Json:
    """Sums replies made ahead within a window: answered, hits (each once), waste, and what the hits have saved."""
    values = {"since": since, "until": until or "infinity"}
    return dict(connection.execute(PRECACHE, values).mappings().one())

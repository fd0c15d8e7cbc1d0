"""Schema of a database as text; run as a command (`make schema`), it renews `db/schema.txt` from the migrations."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sqlalchemy import Connection, text

from db import migrations
from db.engine import connect
from helpers.basics import REPOSITORY
from worker.runtime.embedded.servers import embedded_servers

FILE: Final = REPOSITORY / "db" / "schema.txt"
#: Rows of heading of an object, part and place that order the lines below it, and a line.
LINES: Final = text("""
    with tables as (
        select oid, relname from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm') and relname <> 'alembic_version'
    )
    select 'table ' || relname as heading, 0 as part, attnum::integer as place,
        concat_ws(' ', attname, format_type(atttypid, atttypmod), case when attnotnull then 'not null' end,
            case attidentity when 'a' then 'identity always' when 'd' then 'identity by default' end,
            case when attgenerated = 's' then 'generated as' when adbin is not null then 'default' end,
            pg_get_expr(adbin, adrelid)) as line
    from tables join pg_attribute a on attrelid = tables.oid and attnum > 0 and not attisdropped
        left join pg_attrdef on adrelid = attrelid and adnum = attnum
    union all
    select 'table ' || relname, 1, 0, 'constraint ' || conname || ' ' || pg_get_constraintdef(c.oid)
    from tables join pg_constraint c on conrelid = tables.oid
    union all
    select 'table ' || relname, 2, 0,
        replace(substr(pg_get_indexdef(indexrelid), 8), ' ON public.' || relname || ' USING', '')
    from tables join pg_index on indrelid = tables.oid
    where not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u'))
    union all
    select 'table ' || relname, 3, 0, replace(substr(pg_get_triggerdef(t.oid), 8), ' ON public.' || relname, '')
    from tables join pg_trigger t on tgrelid = tables.oid and not tgisinternal
    union all
    select 'sequences', 0, 0, sequencename || ' ' || data_type || case when cycle then ' cycle' else '' end
    from pg_sequences where schemaname = 'public' and not exists (
        select from pg_depend where objid = format('public.%I', sequencename)::regclass and deptype = 'i')
    union all
    select 'functions', 0, 0,
        format('%s(%s) returns %s', proname, pg_get_function_arguments(oid), pg_get_function_result(oid))
    from pg_proc where pronamespace = 'public'::regnamespace
    union all
    select 'types and text search', 0, 0, name from (
        select typname, typnamespace from pg_type where typtype in ('e', 'd')
        union all select dictname, dictnamespace from pg_ts_dict
        union all select cfgname, cfgnamespace from pg_ts_config) others (name, namespace)
    where namespace = 'public'::regnamespace
""")


def schema_text(connection: Connection) -> str:
    """Returns tables with columns, constraints, indexes and triggers, then sequences, functions and types, sorted."""
    objects: dict[str, list[str]] = {}
    for heading, _, _, line in sorted(map(tuple, connection.execute(LINES)), key=_tables_first):
        objects.setdefault(heading, []).append(f"    {line}\n")
    return "\n".join(f"{heading}\n{''.join(lines)}" for heading, lines in objects.items())


def _tables_first(line: tuple[str, int, int, str]) -> tuple[object, ...]:
    return (not line[0].startswith("table "), *line)


def without_remarks(written: str) -> str:
    """Returns a schema file without the blocks of lines that begin with #."""
    return re.sub(r"(?:^#.*\n)+\n?", "", written, flags=re.MULTILINE)


def with_remarks_of(written: str, schema: str) -> str:
    """Returns the schema with the remarks that the file has at its head and above its objects."""
    remarks = {heading: remark for remark, heading in re.findall(r"((?:^#.*\n)+)(.*\n)", written, flags=re.MULTILINE)}
    head = remarks.pop("\n", "")
    lines = [remarks.get(line, "") + line for line in schema.splitlines(keepends=True)]
    return f"{head}\n{''.join(lines)}"


def renew(file: Path = FILE) -> None:
    """Writes the schema that all migrations give, made on a server of its own; remarks stay."""
    with TemporaryDirectory() as directory, embedded_servers(Path(directory), redis=False) as servers:
        url = str(servers.database_url)
        migrations.upgrade(url)
        with connect(url) as connection:
            file.write_text(with_remarks_of(file.read_text("utf-8"), schema_text(connection)), "utf-8")


if __name__ == "__main__":
    renew()

"""Dead letters: messages that their runs could not answer, looked at and sent round again or closed by operators."""

from collections.abc import Sequence

from sqlalchemy import Connection

from db.statement import Json, rows, run


def find_all(connection: Connection) -> list[Json]:
    """Returns all dead letters in the order of acceptance, without what was written."""
    sql = """
        select id, message_id, customer_phone, sent_at, answered_at as died_at, attempts, reason, last_error
        from messages where state = 'dead' order by id
    """
    return rows(run(connection, sql))


def find_message(connection: Connection, reference: str) -> Json | None:
    """Returns the message with this id of WhatsApp's or, where there is none, this number; with its content."""
    number = int(reference) if reference.isascii() and reference.isdigit() and len(reference) < 19 else None
    sql = """
        select m.id, m.state, m.message_id, m.customer_phone, c.name, m.sent_at, m.accepted_at,
               m.answered_at as died_at, m.attempts, m.reason, m.last_error, m.content
        from messages m left join customers c using (customer_phone)
        where m.message_id = %(message_id)s or m.id = %(id)s order by m.message_id = %(message_id)s desc limit 1
    """
    return next(iter(rows(run(connection, sql, message_id=reference, id=number))), None)


def replay(connection: Connection, letters: Sequence[int]) -> int:
    """Makes these messages unanswered again, those of them that are dead letters; returns how many that were."""
    return int(run(connection, "select replay_dead_letters(%(ids)s::bigint[])", ids=list(letters)).scalar_one())


def discard(connection: Connection, letter: int) -> bool:
    """Closes a dead letter for good; returns whether it was one."""
    sql = """
        update messages set state = 'closed', reason = concat_ws('; ', reason, 'discarded')
        where id = %(letter)s and state = 'dead'
    """
    return run(connection, sql, letter=letter).rowcount == 1

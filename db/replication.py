"""Role and position of one PostgreSQL server. All of it may be asked by anybody who can log in."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

STATE = text("""
    select pg_is_in_recovery() as is_standby,
           current_setting('default_transaction_read_only')::boolean as is_read_only,
           pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
                           '0/0')::bigint as position_b,
           extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::float8 as replayed_s,
           current_setting('synchronous_standby_names') as waits_for,
           current_setting('synchronous_commit') as synchronous_commit,
           (select count(*) from pg_stat_replication) as standbys
""")


@dataclass(frozen=True, slots=True)
class Replication:
    """State of a server among those that follow each other.

    Args:
        position_b: byte of the log that it has written, or, as a standby, replayed.
        replayed_s: age of the latest transaction that a standby has replayed; None where there is none.
        waits_for: `synchronous_standby_names`; empty: a commit waits for no standby.
        standbys: how many servers get its log now.
    """

    is_standby: bool
    is_read_only: bool
    position_b: int
    replayed_s: float | None
    waits_for: str
    synchronous_commit: str
    standbys: int

    @property
    def takes_writes(self) -> bool:
        """Primary that is not set to read-only."""
        return not (self.is_standby or self.is_read_only)


def replication(connection: Connection) -> Replication:
    """Returns the state of the server at the other end."""
    return Replication(**connection.execute(STATE).mappings().one())

"""Numbers of PostgreSQL's advisory locks: one for each thing that only one process may do at a time."""

#: Migrations (`alembic/env.py`).
MIGRATION_LOCK = 7_243_001
#: The active intake.
INTAKE_LOCK = 7_243_002
#: Sums of hours (`roll_up_hours`, whose SQL repeats the number).
ROLL_UP_LOCK = 7_243_003

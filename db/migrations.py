"""Migrations: their place, and how code runs them."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from db.engine import connect

FUNCTIONS = Path(__file__).parent / "functions"


def scripts_directory() -> Path:
    """Returns `alembic/` of a checkout, or the copy that the wheel carries."""
    checkout = Path(__file__).parent.parent / "alembic"
    return checkout if (checkout / "env.py").exists() else Path(__file__).parent / "_migrations"


def configuration() -> Config:
    """Returns alembic's configuration without the ini file, so that it also works from an installed wheel."""
    config = Config()
    config.set_main_option("script_location", str(scripts_directory()).replace("%", "%%"))
    return config


def function_sql(name: str) -> str:
    """Returns the text of `db/functions/{name}.sql`; a version is never edited once released."""
    return (FUNCTIONS / f"{name}.sql").read_text(encoding="utf-8")


def head() -> str:
    """Returns the newest revision this code knows."""
    revision = ScriptDirectory.from_config(configuration()).get_current_head()
    assert revision is not None, "the migrations are part of the package"  # noqa: S101  an invariant, not a check
    return revision


def upgrade(url: str, revision: str = "head") -> None:
    """Brings the database up to the revision; safe to run from several processes at once."""
    _run(command.upgrade, url, revision)


def downgrade(url: str, revision: str) -> None:
    """Takes the database back to the revision (`base`: empty)."""
    _run(command.downgrade, url, revision)


def _run(migrate: Callable[[Config, str], None], url: str, revision: str) -> None:
    config = configuration()
    with connect(url, statement_timeout_ms=0) as connection:
        config.attributes["connection"] = connection
        migrate(config, revision)

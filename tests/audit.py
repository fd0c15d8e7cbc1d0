"""`make audit`: known vulnerabilities among what is locked, and secrets among the files of this checkout."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import click
from detect_secrets import SecretsCollection
from detect_secrets.core.potential_secret import PotentialSecret
from detect_secrets.settings import default_settings
from packaging.version import Version
from pip_audit._service import PyPIService, ResolvedDependency, ServiceError

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock")
SERVICE_TIMEOUT_S = 3
#: What looks like a secret and is none, by its whole value.
ALLOWED = (
    # Words that stand where one would.
    r"(?i)password|secret|guest|chasqui|invalid|wrong|test-only",
    # Names of variables.
    r"(OPENAI|GEMINI|DEEPSEEK)_API_KEY|OWN_MODEL_KEY",
    # Made up by tests, which look for them in logs and answers.
    r".*(hunter2|geheim).*|hun|anotherlongpassword|se/c:ret@1|(b|p)(%40|@)(c|ss)|own",
    # The SHA-256 of a word, as an example of what a log keeps.
    r"9f86d081[0-9a-f]{56}",
    # Keys of three requests in the reply cache.
    r"(183de6ce|43c5287e|ad37f88b)[0-9a-f]{56}",
    # An address of a test.
    r"Calle Falsa( 123)?",
)


def main() -> None:
    """Exits 1 where a vulnerability or a secret is found. What cannot be asked is said, and is no failure."""
    sys.exit(1 if vulnerable() | leaking() else 0)


def vulnerable() -> bool:
    """Whether a locked version has a known vulnerability."""
    if reason := unreachable():
        click.echo(f"vulnerabilities: skipped, {reason}")
        return False
    files = [argument for lock in LOCKS for argument in ("--requirement", lock)]
    options = ("--require-hashes", "--disable-pip", "--progress-spinner", "off")
    done = subprocess.run([sys.executable, "-m", "pip_audit", *options, *files], cwd=ROOT, check=False)
    return done.returncode != 0


def unreachable() -> str | None:
    """Why the service that knows vulnerabilities cannot be asked; None where it answers about a package we use."""
    asked = ResolvedDependency("requests", Version(version("requests")))
    try:
        answer, _ = PyPIService(timeout=SERVICE_TIMEOUT_S).query(asked)
    except (ServiceError, OSError) as exc:
        return f"their service does not answer within {SERVICE_TIMEOUT_S} s ({type(exc).__name__})"
    return "their service is not what answers here" if answer.is_skipped() else None


def leaking() -> bool:
    """Whether a file of the checkout, committed or about to be, holds what may be a secret. It is never printed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        click.echo("secrets: skipped, this is no git checkout")
        return False
    files = [name for name in listed.stdout.split("\0") if name and name not in LOCKS]
    found = list(secrets(files))
    for one in found:
        click.echo(f"secrets: {Path(one.filename).relative_to(ROOT)}:{one.line_number}: {one.type}")
    click.echo(f"secrets: {len(found)} in {len(files)} files")
    return bool(found)


def secrets(files: Sequence[str], root: Path = ROOT) -> Iterator[PotentialSecret]:
    """What may be a secret and is not allowed, file by file."""
    collection = SecretsCollection(root=str(root))
    with default_settings():
        collection.scan_files(*files)
    for _, found in collection:
        if not any(re.fullmatch(value, found.secret_value or "") for value in ALLOWED):
            yield found


if __name__ == "__main__":
    main()

"""The search for secrets finds what it is for, and allows nothing but what it names."""

from __future__ import annotations

import base64
import secrets as randomness
from pathlib import Path

import pytest

audit = pytest.importorskip("audit", reason="the tools of `make audit` are not installed")

PLANTED = {
    "key.py": "api" + f'_key = "sk-proj-{base64.urlsafe_b64encode(randomness.token_bytes(30)).decode()}"',
    "url.md": "redis://chasqui:" + randomness.token_hex(12) + "@10.0.0.9:6379/0",
    "key.pem": "-----BEGIN " + "RSA PRIVATE KEY-----",
    "compose.yml": f"  POSTGRES_PASSWORD: {randomness.token_hex(16)}",
}
#: Begins with what is allowed.
NEARLY = "chasqui-71f0c2"


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_secret_is_found(tmp_path: Path, name: str) -> None:
    """A key, a password in a URL, a private key, a value of a setting."""
    (tmp_path / name).write_text(PLANTED[name])
    assert list(audit.secrets([name], tmp_path))


def test_what_a_test_has_made_up_is_allowed(tmp_path: Path) -> None:
    """By its whole value: the beginning of a word is not enough."""
    (tmp_path / "allowed.py").write_text('password = "geheim"\n')
    (tmp_path / "other.py").write_text(f'password = "{NEARLY}"\n')
    assert [found.filename for found in audit.secrets(["allowed.py", "other.py"], tmp_path)] == [
        str(tmp_path / "other.py")
    ]

"""Secrets that stand in files, as Docker and Kubernetes mount them."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.errors import ConfigurationError
from worker.runtime.environment import environment
from worker.settings import SECRETS, read_settings, settings


def written(directory: Path, text: str) -> str:
    """The path of a file with this text."""
    file = directory / "secret"
    file.write_text(text, "utf-8")
    return str(file)


def test_every_password_key_and_url_is_a_secret() -> None:
    """So that each can stand in a file; addresses of providers are none."""
    assert {
        "database_url",
        "redis_url",
        "cache_redis_url",
        "broker_url",
        "openai_api_key",
        "gemini_api_key",
        "deepseek_api_key",
        "flower_basic_auth",
        "otel_exporter_otlp_headers",
    } <= SECRETS
    assert not {name for name in SECRETS if "_base_" in name or "_file" in name}


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_secret_may_stand_in_a_file(tmp_path: Path, name: str) -> None:
    """Without the newline at its end."""
    secret = f"{'postgresql' if name == 'database_url' else 'redis'}://x:hunter2@a"
    found = read_settings({f"{name.upper()}_FILE": written(tmp_path, f"{secret}\n")})
    assert getattr(found, name).get_secret_value() == secret


def test_other_settings_stand_in_no_file(tmp_path: Path) -> None:
    """PROVIDERS_FILE is a setting of its own."""
    given = {"BATCH_MAX_FILE": written(tmp_path, "7"), "PROVIDERS_FILE": "/x.toml", "DATABASE_URL_FILE": ""}
    found = read_settings(given)
    assert (found.batch_max, found.providers_file, found.database_url) == (100, Path("/x.toml"), None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), (b"", "is empty"), (b" \n", "is empty"), (b"\xff\xfe", "not a text")],
    ids=["missing", "empty", "blank", "binary"],
)
def test_a_file_that_is_no_use_is_told(tmp_path: Path, content: bytes | None, reason: str) -> None:
    """With the variable and the reason, and with whatever else is wrong; the path may be a key in the wrong place."""
    file = tmp_path / "sk-hunter2"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"OPENAI_API_KEY_FILE: the file .*{reason}") as caught:
        read_settings({"OPENAI_API_KEY_FILE": str(file), "BATCH_MAX": "x"})
    assert "BATCH_MAX" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Docker makes a directory where the file of a mount is missing."""
    with pytest.raises(ConfigurationError, match=r"REDIS_URL_FILE: the file cannot be read \(Is a directory\)"):
        read_settings({"REDIS_URL_FILE": str(tmp_path)})


def test_a_secret_given_twice_is_a_mistake(tmp_path: Path) -> None:
    """Nobody has to guess which one holds."""
    file = written(tmp_path, "redis://:hunter2@a")
    with pytest.raises(ConfigurationError, match="REDIS_URL: it is set and so is REDIS_URL_FILE") as caught:
        read_settings({"REDIS_URL": "redis://:hunter2@a", "REDIS_URL_FILE": file})
    assert "hunter2" not in str(caught.value)
    assert read_settings({"REDIS_URL": "", "REDIS_URL_FILE": file}).required("redis_url") == "redis://:hunter2@a"


def test_what_a_command_sets_takes_the_place_of_a_file(tmp_path: Path) -> None:
    """`chasqui demo` runs on servers of its own beside whatever the environment names."""
    with environment({"REDIS_URL_FILE": written(tmp_path, "redis://theirs")}):
        with environment({"REDIS_URL": "redis://ours"}):
            assert settings().required("redis_url") == "redis://ours"
        assert settings().required("redis_url") == "redis://theirs"

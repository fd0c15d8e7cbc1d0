"""The environment, read once."""

from __future__ import annotations

import pytest

from worker.errors import ConfigurationError
from worker.settings import Settings, read_settings

SECRET = "redis://:hunter2@10.0.0.9/0"


def test_defaults_of_an_empty_environment() -> None:
    """Nothing is required to be set; times are those of the README."""
    settings = read_settings({})
    assert (settings.database_url, settings.redis_url, settings.openai_api_key, settings.providers_file) == (None,) * 4
    assert (settings.flow_lease_s, settings.ai_deadline_s, settings.sweep_every_s) == (15.0, 30.0, 2.0)
    assert settings.ai_parallel_calls == 128
    assert (settings.batch_max, settings.log_format, settings.log_level) == (100, "auto", "INFO")


def test_names_are_those_of_the_contract() -> None:
    """Each in upper case, and nothing else of the environment is taken."""
    settings = read_settings(
        {"BATCH_MAX": "7", "batch_max": "9", "SHOP_NAME": "Doña Rosa", "PATH": "x", "FLOW_LEASE_S": "2.5"}
    )
    assert (settings.batch_max, settings.shop_name, settings.flow_lease_s) == (7, "Doña Rosa", 2.5)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_an_empty_value_is_an_unset_one(name: str) -> None:
    """Compose files set what they have no value for."""
    assert read_settings({name.upper(): ""}) == read_settings({})


def test_the_roles_of_redis_default_to_the_durable_one() -> None:
    """The cache and the broker each have a URL of their own where one is given."""
    one = read_settings({"REDIS_URL": "redis://a"})
    assert one.cache_url == one.celery_broker_url == one.redis_url
    three = read_settings({"REDIS_URL": "redis://a", "CACHE_REDIS_URL": "redis://b", "BROKER_URL": "amqp://c"})
    assert three.required("cache_url") == "redis://b"
    assert three.required("celery_broker_url") == "amqp://c"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLOW_LEASE_S", "hunter2"),
        ("BATCH_MAX", "hunter2"),
        ("FLOW_LEASE_S", "0"),
        ("AI_DEADLINE_S", "-30"),
        ("AI_DEADLINE_S", "nan"),
        ("AI_DEADLINE_S", "inf"),
        ("SWEEP_EVERY_S", "2s"),
        ("BATCH_MAX", "0"),
        ("BATCH_MAX", "1001"),
        ("BATCH_MAX", "3.5"),
        ("LOG_FORMAT", "hunter2"),
        ("LOG_LEVEL", "debug"),
        ("SHOP_NAME", "hunter2" * 20),
        ("REDIS_URL", "hunter2"),
        ("REDIS_URL", "http://hunter2"),
        ("REDIS_URL", "redis://:hunter2/x@127.0.0.1:6379/0"),
        ("CACHE_REDIS_URL", "redis://127.0.0.1:hunter2/0"),
        ("BROKER_URL", "hunter2"),
        ("BROKER_URL", "sentinel://one:26379;sentinel://:hunter2/@two:26379"),
        ("DATABASE_URL", "mysql://x:hunter2@y/z"),
        ("DATABASE_URL", "postgresql://x@127.0.0.1:99999/hunter2"),
        ("DATABASE_URL", "postgresql://x:hunter2@one:5432,two:hunter2/z"),
        ("DATABASE_URL", "postgresql://x:hunter2@one:5432,/z"),
    ],
)
def test_a_value_that_does_not_fit_is_named_and_not_shown(name: str, value: str) -> None:
    """The variable and the reason; the value may be a key in the wrong place."""
    with pytest.raises(ConfigurationError, match=f"environment: {name}: ") as caught:
        read_settings({"REDIS_URL": SECRET, "OPENAI_API_KEY": "sk-hunter2", name: value})
    assert "hunter2" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)


def test_all_mistakes_are_told_at_once() -> None:
    """So that one restart is enough."""
    with pytest.raises(ConfigurationError) as caught:
        read_settings({"BATCH_MAX": "x", "FLOW_LEASE_S": "y"})
    assert "BATCH_MAX" in str(caught.value)
    assert "FLOW_LEASE_S" in str(caught.value)


def test_secrets_do_not_show() -> None:
    """Neither in a repr nor as a string, of URLs and keys alike."""
    names = [name for name in Settings.model_fields if name.endswith(("_url", "_api_key")) and "_base_" not in name]
    urls = {"database_url": "postgresql://x:hunter2@10.0.0.9/y"}
    settings = read_settings({name.upper(): urls.get(name, SECRET) for name in names})
    assert len(names) == 7
    for shown in (repr(settings), str(settings), f"{settings.model_dump()}", settings.model_dump_json()):
        assert "hunter2" not in shown
    assert settings.required("redis_url") == SECRET


@pytest.mark.parametrize("name", ["database_url", "redis_url", "cache_url"])
def test_what_is_missing_is_told_with_the_way_out(name: str) -> None:
    """A command that needs a server says how to get one."""
    with pytest.raises(ConfigurationError, match=f"{name.upper()} is not set.*chasqui up"):
        read_settings({}).required(name)


def test_settings_do_not_change() -> None:
    """One frozen value per process."""
    with pytest.raises(ValueError, match="frozen"):
        read_settings({}).batch_max = 1

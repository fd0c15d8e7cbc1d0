"""Which language models there are: the packaged file, a file of one's own, and every way to get it wrong."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from worker.errors import ConfigurationError
from worker.providers.providers_file import Prices, Provider, load_providers
from worker.settings import Settings, read_settings

KEY = "sk-Secret0123"


def write(folder: Path, **changes: str) -> Settings:
    """Settings with a providers file of one entry, some of its lines changed."""
    lines = {
        "name": '"local"',
        "model": '"m"',
        "wire": '"openai"',
        "base_url": '"http://127.0.0.1:1/v1/"',
        "api_key": '"OPENAI_API_KEY"',
        "complexities": '["simple", "complex"]',
        "connect_timeout_s": "1",
        "timeout_s": "2.5",
        "prices": "{ input_usd = 0.1, cached_input_usd = 0, output_usd = 0.2 }",
    } | changes
    file = folder / "providers.toml"
    file.write_text("[[provider]]\n" + "\n".join(f"{name} = {value}" for name, value in lines.items() if value))
    return read_settings({"PROVIDERS_FILE": str(file), "OPENAI_API_KEY": f"{KEY}\n"})


def test_packaged_providers() -> None:
    """The packaged file names the three providers, each the first choice for one complexity, at the noted prices."""
    settings = read_settings({"GEMINI_API_KEY": "g", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1/"})
    by_name = {provider.name: provider for provider in load_providers(settings)}
    assert {name: found.complexities for name, found in by_name.items()} == {
        "gemini-flash": ("simple",),
        "deepseek": ("medium",),
        "gpt-3.5": ("complex",),
    }
    assert by_name["gpt-3.5"].base_url == "http://127.0.0.1:9/v1"
    assert by_name["deepseek"].base_url == "https://api.deepseek.com"
    assert by_name["deepseek"].prices == Prices(Decimal("0.28"), Decimal("0.028"), Decimal("0.42"))
    assert by_name["gemini-flash"].api_key == SecretStr("g")
    assert by_name["deepseek"].api_key is None


def test_providers_file(tmp_path: Path) -> None:
    """A file of one's own takes the place of the packaged one; a key loses the newline it was pasted with."""
    (found,) = load_providers(write(tmp_path))
    assert found == Provider(
        name="local",
        model="m",
        wire="openai",
        base_url="http://127.0.0.1:1/v1",
        api_key=SecretStr(KEY),
        prices=Prices(Decimal("0.1"), Decimal(0), Decimal("0.2")),
        complexities=("simple", "complex"),
        connect_timeout_s=1.0,
        timeout_s=2.5,
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": ""}, "provider 1 (local): model: Field required"),
        ({"colour": '"red"'}, "provider 1 (local): colour: Extra inputs"),
        ({"name": '"Local Model"'}, "provider 1 (Local Model): name: "),
        ({"wire": '"smoke"'}, "wire: Input should be 'openai' or 'gemini'"),
        ({"base_url": '"ftp://x"'}, "base_url: Value error, must be an http"),
        ({"base_url": '"https://x/v1?key=abc"'}, "base_url: Value error, must have no user name, query"),
        ({"base_url": '"https://me:abc@x/v1"'}, "base_url: Value error, must have no user name, query"),
        ({"api_key": '"DATABASE_URL"'}, "api_key: Value error, must be one of "),
        ({"timeout_s": "0"}, "timeout_s: "),
        ({"complexities": '["hard"]'}, "complexities.0: "),
        ({"prices": "{ input_usd = -1, cached_input_usd = 0, output_usd = nan }"}, "prices.input_usd: "),
        ({"prices": "{ input_usd = 1, cached_input_usd = 0, output_usd = nan }"}, "prices.output_usd: "),
        ({"name": "]"}, "not valid TOML"),
    ],
)
def test_bad_providers_file(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    """The message names the file, the entry, the field and the reason, and holds no key."""
    with pytest.raises(ConfigurationError) as raised:
        load_providers(write(tmp_path, **changes))
    assert str(raised.value).startswith(f"{tmp_path / 'providers.toml'}: ")
    assert words in str(raised.value)
    assert "abc" not in str(raised.value)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ('name = "local"', "name: there are two"),
        ('name = "other"', "local and other: complexities: both are the first"),
    ],
)
def test_conflicting_providers(tmp_path: Path, second: str, words: str) -> None:
    """Two of a name, or two first choices for one complexity, leave open which is meant."""
    settings = write(tmp_path)
    file = tmp_path / "providers.toml"
    entry = file.read_text()
    file.write_text(entry + "\n" + entry.replace('name = "local"', second))
    with pytest.raises(ConfigurationError, match=words):
        load_providers(settings)


def test_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is named with the system's reason."""
    with pytest.raises(ConfigurationError, match=r"gone\.toml: cannot be read: No such file"):
        load_providers(read_settings({"PROVIDERS_FILE": str(tmp_path / "gone.toml")}))


@pytest.mark.parametrize("key", ["two words", "with\nnewline", "ñandú"])
def test_key_that_no_header_can_hold(tmp_path: Path, key: str) -> None:
    """Such a key is refused at the start, by the setting's name and without its value."""
    settings = write(tmp_path).model_copy(update={"openai_api_key": SecretStr(key)})
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY: must be one word") as raised:
        load_providers(settings)
    assert key not in str(raised.value)


def test_bad_base_url_in_the_environment(tmp_path: Path) -> None:
    """A base URL from a setting is checked like one from the file, and named by its setting."""
    settings = write(tmp_path, base_url_setting='"OPENAI_BASE_URL"').model_copy(update={"openai_base_url": "x"})
    with pytest.raises(ConfigurationError, match="provider local: OPENAI_BASE_URL: must be an http"):
        load_providers(settings)

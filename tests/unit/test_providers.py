"""Which language models there are: the packaged file, a file of one's own, and every way to get it wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from worker.errors import ConfigurationError
from worker.providers.models import Model, Price, Provider, WeekHours, week_hours
from worker.providers.providers_file import load_providers
from worker.settings import Settings, read_settings

KEY = "sk-Secret0123"
MODEL = """
[[provider.model]]
id = "m"
"""
PRICE = """
[[provider.model.price]]
input_usd = 0.1
cached_input_usd = 0
output_usd = 0.2
"""


def write(folder: Path, models: str = MODEL + PRICE, **changes: str) -> Settings:
    """Settings with a providers file of one entry, some of its lines changed, and these models."""
    lines = {
        "name": '"local"',
        "wire": '"openai"',
        "base_url": '"http://127.0.0.1:1/v1/"',
        "api_key": '"OPENAI_API_KEY"',
        "complexities": '["simple", "complex"]',
        "connect_timeout_s": "1",
        "timeout_s": "2.5",
    } | changes
    file = folder / "providers.toml"
    entry = "\n".join(f"{name} = {value}" for name, value in lines.items() if value)
    file.write_text(f"[[provider]]\n{entry}\n{models}")
    return read_settings({"PROVIDERS_FILE": str(file), "OPENAI_API_KEY": f"{KEY}\n"})


def test_packaged_providers() -> None:
    """The packaged file names the three providers, each the first choice for one complexity, at the noted prices."""
    settings = read_settings({"GEMINI_API_KEY": "g", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1/"})
    by_name = {provider.name: provider for provider in load_providers(settings)}
    assert {name: found.complexities for name, found in by_name.items()} == {
        "gemini-flash": ("simple",),
        "deepseek": ("medium",),
        "gpt": ("complex",),
    }
    assert {name: [one.id for one in found.models] for name, found in by_name.items()} == {
        "gemini-flash": ["gemini-3.5-flash-lite", "gemini-3.1-flash-lite"],
        "deepseek": ["deepseek-flash", "deepseek-v4-pro"],
        "gpt": ["gpt-6-luna", "gpt-6.1-terra"],
    }
    assert by_name["gpt"].base_url == "http://127.0.0.1:9/v1"
    assert by_name["deepseek"].base_url == "https://api.deepseek.com"
    assert by_name["gemini-flash"].models[1].ends == date(2027, 5, 7)
    assert by_name["gemini-flash"].api_key == SecretStr("g")
    assert by_name["deepseek"].api_key is None
    assert not by_name["deepseek"].usable


#: Dollars per million tokens on a Sunday and on a Monday at 02:00 UTC: input, cached, output, written to the cache.
PRICES = {
    "gemini-3.5-flash-lite": ("0.30 0.03 2.50 0.30",) * 2,
    "gemini-3.1-flash-lite": ("0.25 0.025 1.50 0.25",) * 2,
    "deepseek-flash": ("0.15 0.003 0.60 0.15", "0.30 0.006 1.20 0.30"),
    "deepseek-v4-pro": ("0.66 0.022 1.98 0.66", "1.32 0.044 3.96 1.32"),
    "gpt-6-luna": ("0.10 0.01 0.50 0.125",) * 2,
    "gpt-6.1-terra": ("1.00 0.05 5.00 1.25",) * 2,
}


def test_packaged_prices() -> None:
    """As the price pages had them on 2026-11-29, in and out of the dear hours."""
    sunday, monday = datetime(2026, 11, 29, 2, 0, tzinfo=UTC), datetime(2026, 11, 30, 2, 0, tzinfo=UTC)
    found = {one.id: one for provider in load_providers(read_settings({})) for one in provider.models}
    assert set(found) == set(PRICES)
    for name, listed in PRICES.items():
        for moment, figures in zip((sunday, monday), listed, strict=True):
            price = found[name].price_at(moment)
            usd = (price.input_usd, price.cached_input_usd, price.output_usd, price.cache_write_usd)
            assert usd == tuple(map(Decimal, figures.split())), name


@pytest.mark.parametrize(
    ("moment", "input_usd"),
    [
        ("2026-11-30T00:59:59", "0.15"),
        ("2026-11-30T01:00:00", "0.30"),
        ("2026-11-30T03:59:59", "0.30"),
        ("2026-11-30T04:00:00", "0.15"),
        ("2026-11-30T06:00:00", "0.30"),
        ("2026-12-04T09:59:59", "0.30"),
        ("2026-12-04T10:00:00", "0.15"),
        ("2026-12-05T02:00:00", "0.15"),
        ("2026-12-06T07:00:00", "0.15"),
        ("2026-11-29T22:30:00-03:00", "0.30"),
    ],
)
def test_a_price_by_hours_of_the_week(moment: str, input_usd: str) -> None:
    """In UTC, whatever zone the clock tells the time in; the end is not included."""
    model = load_providers(read_settings({}))[1].models[0]
    at = datetime.fromisoformat(moment)
    price = model.price_at(at if at.tzinfo else at.replace(tzinfo=UTC))
    assert price.input_usd == Decimal(input_usd)


def test_a_price_that_starts_on_a_day(tmp_path: Path) -> None:
    """From midnight UTC of that day on; of two that have begun the later one, whatever hours the earlier had."""
    earlier = PRICE + 'hours = ["Mon-Sun 00:00-24:00"]\n'
    later = PRICE.replace("0.1", "0.4") + "starts = 2027-01-01\n"
    (found,) = load_providers(write(tmp_path, MODEL + PRICE.replace("0.1", "0.3") + earlier + later))
    times = ["2026-12-31T23:59:59", "2027-01-01T00:00:00"]
    prices = [found.models[0].price_at(datetime.fromisoformat(one).replace(tzinfo=UTC)) for one in times]
    assert [price.input_usd for price in prices] == [Decimal("0.1"), Decimal("0.4")]


@pytest.mark.parametrize(
    ("text", "days", "since", "until"),
    [
        ("Mon-Fri 01:00-04:00", {0, 1, 2, 3, 4}, time(1), time(4)),
        ("Sun 00:00-24:00", {6}, time(0), None),
        ("Sat-Mon 22:30-24:00", {5, 6, 0}, time(22, 30), None),
    ],
)
def test_hours_of_the_week(text: str, days: set[int], since: time, until: time | None) -> None:
    """One day or a row of them, which may go over the end of the week."""
    assert week_hours(text) == WeekHours(frozenset(days), since, until)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Mon",
        "mon 01:00-02:00",
        "Mon 1:00-2:00",
        "Mon-Foo 01:00-02:00",
        "Mon 04:00-01:00",
        "Mon 01:00-01:00",
        "Lun 01:00-02:00",
        "Mon 01:00-24:01",
        "Mon 01:60-02:00",
        "Mon 25:00-26:00",
        "Mon 01:00-02:00, Tue 01:00-02:00",
    ],
)
def test_hours_that_are_none(tmp_path: Path, text: str) -> None:
    """Named with their place, and with the form that is wanted where it is another."""
    with pytest.raises(ConfigurationError, match=r"model 1 \(m\)\.price 2\.hours 1: "):
        load_providers(write(tmp_path, MODEL + PRICE + PRICE + f'hours = ["{text}"]\n'))


def test_providers_file(tmp_path: Path) -> None:
    """A file of one's own takes the place of the packaged one; a key loses the newline it was pasted with."""
    (found,) = load_providers(write(tmp_path))
    price = Price(Decimal("0.1"), Decimal(0), Decimal("0.2"), Decimal("0.1"))
    assert found == Provider(
        name="local",
        wire="openai",
        base_url="http://127.0.0.1:1/v1",
        query="",
        api_key=SecretStr(KEY),
        key_name="OPENAI_API_KEY",
        key_header=None,
        complexities=("simple", "complex"),
        connect_timeout_s=1.0,
        timeout_s=2.5,
        models=(Model("m", (price,)),),
    )


FULL = """
[[provider.model]]
id = "vendor/m-1:free"
request = { top_p = 1, extra = { a = [1] } }
output_limit = "options.num_predict"
json = "object_schema"
prompt_cache = "breakpoint"
ends = 2027-01-31
answers_as = ["*"]
"""


def test_all_that_a_model_can_say(tmp_path: Path) -> None:
    """Every field of the file reaches the model."""
    (found,) = load_providers(write(tmp_path, FULL + PRICE + "cache_write_usd = 0.7\n", key_header='"api-key"'))
    (price,) = found.models[0].prices
    assert (found.key_header, price.cache_write_usd) == ("api-key", Decimal("0.7"))
    assert found.models[0] == Model(
        "vendor/m-1:free",
        (price,),
        {"top_p": 1, "extra": {"a": [1]}},
        "options.num_predict",
        "object_schema",
        "breakpoint",
        date(2027, 1, 31),
        ("*",),
    )


def test_the_query_of_a_base_url_is_kept(tmp_path: Path) -> None:
    """Of the file's and of one that a setting gives in its place, with every endpoint."""
    azure = '"https://x.example/openai/v1/?api-version=2026-01-01"'
    (found,) = load_providers(write(tmp_path, base_url=azure))
    assert (found.base_url, found.query) == ("https://x.example/openai/v1", "api-version=2026-01-01")
    assert found.url("models") == "https://x.example/openai/v1/models?api-version=2026-01-01"
    settings = write(tmp_path, base_url_setting='"OPENAI_BASE_URL"')
    (found,) = load_providers(settings.model_copy(update={"openai_base_url": "http://h/p?a=1&b=2"}))
    assert found.url("chat/completions") == "http://h/p/chat/completions?a=1&b=2"


def test_a_key_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the variable itself, or in the file that the same name with _FILE names."""
    settings = write(tmp_path, api_key='"GROQ_KEY_2"')
    assert not load_providers(settings)[0].usable
    monkeypatch.setenv("GROQ_KEY_2", f"{KEY}\n")
    assert load_providers(settings)[0].api_key == SecretStr(KEY)
    (tmp_path / "secret").write_text("gsk-of-the-file\n")
    monkeypatch.setenv("GROQ_KEY_2_FILE", str(tmp_path / "secret"))
    with pytest.raises(ConfigurationError, match="GROQ_KEY_2: it is set and so is GROQ_KEY_2_FILE"):
        load_providers(settings)
    monkeypatch.delenv("GROQ_KEY_2")
    assert load_providers(settings)[0].api_key == SecretStr("gsk-of-the-file")


@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot be read"), (b"\n", "is empty"), (b"\xff\xfe", "not a text")]
)
def test_a_key_file_that_holds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, words: str
) -> None:
    """Said at the start by the variable's name, not found out as a provider that is never asked."""
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    monkeypatch.setenv("GROQ_KEY_FILE", str(tmp_path / "secret"))
    with pytest.raises(ConfigurationError, match=f"GROQ_KEY_FILE: the file .*{words}") as raised:
        load_providers(write(tmp_path, api_key='"GROQ_KEY"'))
    assert str(tmp_path) not in str(raised.value)


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "DASHBOARD_PASSWORD", "FLOW_LEASE_S", "SHOP_NAME"])
def test_another_secret_is_no_key(tmp_path: Path, name: str) -> None:
    """A database's password must never be sent to a provider."""
    with pytest.raises(ConfigurationError, match="api_key: Value error, is a setting of Chasqui's own"):
        load_providers(write(tmp_path, api_key=f'"{name}"'))


def test_a_server_that_needs_no_key(tmp_path: Path) -> None:
    """One that names none is usable."""
    (found,) = load_providers(write(tmp_path, api_key=""))
    assert (found.api_key, found.key_name, found.usable) == (None, None, True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"models": ""}, "provider 1 (local): model: Field required"),
        ({"colour": '"red"'}, "provider 1 (local): colour: Extra inputs"),
        ({"model_id": '"m"'}, "provider 1 (local): model_id: Extra inputs"),
        ({"name": '"Local Model"'}, "provider 1 (Local Model): name: "),
        ({"wire": '"smoke"'}, "wire: Input should be 'openai' or 'gemini'"),
        ({"base_url": '"ftp://x"'}, "base_url: Value error, must be an http"),
        ({"base_url": '"https://me:abc@x/v1"'}, "base_url: Value error, must have no user name and no fragment"),
        ({"base_url": '"https://x/v1#abc"'}, "base_url: Value error, must have no user name and no fragment"),
        ({"api_key": '"not a name"'}, "api_key: "),
        ({"key_header": '"two words"'}, "key_header: "),
        ({"base_url_setting": '"SHOP_NAME"'}, "base_url_setting: Value error, must be one of OPENAI_BASE_URL"),
        ({"timeout_s": "0"}, "timeout_s: "),
        ({"complexities": '["hard"]'}, "complexities 1: "),
        ({"models": MODEL}, "model 1 (m).price: Field required"),
        ({"models": MODEL + "jason = 1" + PRICE}, "model 1 (m).jason: Extra inputs"),
        ({"models": MODEL + 'json = "yes"' + PRICE}, "model 1 (m).json: Input should be 'schema'"),
        ({"models": MODEL + "request = { stream = true }" + PRICE}, "request: stream cannot be set here"),
        ({"models": MODEL + 'request = { model = "x" }' + PRICE}, "request: model cannot be set here"),
        ({"models": MODEL + 'output_limit = "a..b"' + PRICE}, "model 1 (m).output_limit: "),
        ({"models": MODEL + PRICE.replace("0.1", "-1")}, "model 1 (m).price 1.input_usd: "),
        ({"models": MODEL + PRICE.replace("0.2", "nan")}, "model 1 (m).price 1.output_usd: "),
        ({"models": MODEL + PRICE + PRICE + "cached_usd = 1"}, "model 1 (m).price 2.cached_usd: Extra inputs"),
        (
            {"models": MODEL + PRICE + MODEL.replace('"m"', '"n"') + PRICE + "output_usd_ = 1"},
            "model 2 (n).price 1.output_usd_: Extra inputs",
        ),
        ({"models": MODEL + PRICE + "starts = 2026-01-01"}, "price: one must hold at all times"),
        ({"models": MODEL + PRICE + 'hours = ["Mon 01:00-02:00"]'}, "price: one must hold at all times"),
        ({"models": MODEL.replace('"m"', '"a b"') + PRICE}, "model 1 (a b).id: "),
        (
            {"wire": '"gemini"', "models": MODEL + 'json = "object_schema"' + PRICE},
            "model m: json: object_schema is not known to the wire gemini",
        ),
        ({"models": (MODEL + PRICE) * 2}, "provider local: model m: there are two of that id"),
        ({"models": MODEL.replace('"m"', '"samples"') + PRICE}, "model samples: the name is taken"),
        ({"models": MODEL + PRICE + "[[model]]\n"}, "model: no such table; providers stand under [[provider]]"),
        ({"name": "]"}, "not valid TOML"),
    ],
)
def test_bad_providers_file(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    """The message names the file, the entry, the field and the reason, and holds no key."""
    with pytest.raises(ConfigurationError) as raised:
        load_providers(write(tmp_path, **changes))
    assert str(raised.value).startswith(f"{tmp_path / 'providers.toml'}: ")
    assert words in str(raised.value)
    assert "abc" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("gpt-6-luna", True),
        ("gpt-6-luna-2026-09-22", True),
        ("models/gpt-6-luna", True),
        ("gpt-6-luna-001", True),
        ("gpt-6-luna@20260922", True),
        (None, True),
        ("other-name", True),
        ("other-name-1017", True),
        ("gpt-6-luna-pro", False),
        ("gpt-6.1-terra", False),
        ("gpt-6", False),
        ("GPT-6-LUNA-big-2026-09-22", False),
    ],
)
def test_whose_answer_it_is(name: str | None, own: bool) -> None:
    """A dated snapshot is the same model; another family is not."""
    model = Model("gpt-6-luna", (), answers_as=("other-name",))
    assert model.answers_to(name) is own
    assert Model("m", (), answers_as=("*",)).answers_to(name)


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

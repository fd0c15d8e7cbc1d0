"""The catalogue of what the simulated APIs sell holds together, and each fact has its source."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from string import Formatter

import pytest

from worker.devkit import sold_models
from worker.devkit.sold_models import APIS, CATALOGUE, Api, sold

FILE = Path(sold_models.__file__).with_suffix(".toml")
PLACES = {
    "unknown": {"model", "sold"},
    "closed": {"model"},
    "retired": {"model"},
    "field": {"field", "at"},
    "nested_field": {"path"},
    "parameter": {"field"},
    "value": {"field", "value", "only"},
    "effort": {"value", "model", "offered"},
    "effort_unknown": {"value", "known"},
    "format": {"value", "offered"},
    "schema": {"name", "reason"},
    "schema_missing": {"path"},
    "schema_name": {"path"},
    "limit": {"field", "value"},
    "parts": {"index"},
    "level": {"level"},
    "level_unknown": {"value"},
}


@pytest.mark.parametrize("api", APIS.values(), ids=APIS)
def test_names_in_the_catalogue_are_in_it(api: Api) -> None:
    """Families of models, efforts, sentences of refusals and models that answer for others."""
    assert api.standard in api.families
    assert {"unknown", "limit", "no_money"} <= set(api.errors)
    for model in api.models.values():
        assert model.family in api.families
        assert not model.answered_by or model.answered_by in api.models
    for family in api.families.values():
        assert not family.thoughts or family.default in family.thoughts
        assert set(family.refused.values()) <= set(api.errors)
    assert {error for _, error in api.unfit} <= set(api.errors)
    assert api.unfit[-1][0] == ""
    assert all(gone.error in api.errors for gone in api.withdrawn.values())
    assert not set(api.models) & set(api.withdrawn)


@pytest.mark.parametrize("api", APIS.values(), ids=APIS)
def test_sentences_have_only_places_that_are_filled(api: Api) -> None:
    """A place that nobody fills would break the refusal itself."""
    for name, sentence in api.errors.items():
        texts = (sentence.message, sentence.param or "")
        places = {place for text in texts for _, place, _, _ in Formatter().parse(text) if place}
        assert places <= PLACES.get(name, set()), name


def test_every_fact_has_a_source_that_is_listed() -> None:
    """Keys in the fields and comments are those of the list, and none of the list is idle."""
    text = FILE.read_text(encoding="utf-8").split("[sources]")[0]
    assert set(re.findall(r"\b[ODGP]\d{1,2}\b", text)) == set(CATALOGUE.sources)
    for api in APIS.values():
        for entry in (*api.families.values(), *api.models.values(), *api.withdrawn.values()):
            assert re.match(r"[ODGP]\d", entry.source)


def test_todays_models_are_sold_and_yesterdays_are_not() -> None:
    """What the service asks by default can be had, and what it asked before cannot."""
    assert {"gpt-6-luna", "gpt-6.1-terra"} <= set(sold("openai", {}))
    assert {"deepseek-flash", "deepseek-v4-pro"} <= set(sold("deepseek", {}))
    assert {"gemini-3.5-flash-lite", "gemini-3.1-flash-lite"} <= set(sold("gemini", {}))
    sold_now = {model for name in APIS for model in sold(name, {})}
    assert not {"gpt-3.5-turbo", "deepseek-chat", "gemini-2.5-flash-lite", "gemini-2.5-flash"} & sold_now


def test_the_file_is_read_whole() -> None:
    """No table of it is left aside: what the reader does not know is an error."""
    assert set(tomllib.loads(FILE.read_text(encoding="utf-8"))) == set(CATALOGUE.__struct_fields__)

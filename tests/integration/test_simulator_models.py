"""Models of the simulated providers: lists, states by order of the control, and what is counted of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from helpers.simulated import DEADLINE_S, MODELS, call, deepseek_error, gemini_error, openai_error, post, request, said

from worker.devkit.simulator import Simulator

PROVIDERS = ("openai", "gemini", "deepseek")


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A simulator without latency."""
    with Simulator() as simulator:
        yield simulator


def get(sim: Simulator, provider: str, path: str = "", **query: Any) -> requests.Response:
    """GET models, or one of them."""
    url, key = f"{sim.base_urls[f'{provider.upper()}_BASE_URL']}/models{path}", "k"
    headers = {"x-goog-api-key": key} if provider == "gemini" else {"Authorization": f"Bearer {key}"}
    return requests.get(url, params=query, headers=headers, timeout=DEADLINE_S)


def ids(sim: Simulator, provider: str) -> list[str]:
    """What a provider lists."""
    body = get(sim, provider).json()
    return [
        each["name"].removeprefix("models/") if "name" in each else each["id"]
        for each in body.get("data") or body["models"]
    ]


def test_openai_lists_with_shutdown_dates(sim: Simulator) -> None:
    """A date where one is announced, null elsewhere; what is withdrawn is not in it."""
    body = get(sim, "openai").json()
    ends = {each["id"]: each["shutdown_date"] for each in body["data"]}
    assert body["object"] == "list"
    assert {"gpt-6-luna": None, "gpt-6.1-terra": None, "gpt-4o-mini": "2027-01-14"}.items() <= ends.items()
    assert "gpt-3.5-turbo" not in ends
    luna = get(sim, "openai", "/gpt-6-luna").json()
    assert set(luna) == {"id", "object", "created", "owned_by", "shutdown_date"}
    gone = get(sim, "openai", "/gpt-3.5-turbo")
    message = "The model `gpt-3.5-turbo` does not exist or you do not have access to it."
    assert (gone.status_code, gone.json()) == (404, openai_error(message, None, "model_not_found"))


def test_deepseek_lists_two_and_answers_for_more(sim: Simulator) -> None:
    """Aliases work without being listed, and the answer names who gave it."""
    entry = {"object": "model", "owned_by": "deepseek"}
    expected = [{"id": "deepseek-flash", **entry}, {"id": "deepseek-v4-pro", **entry}]
    assert get(sim, "deepseek").json() == {"object": "list", "data": expected}
    assert post(sim, "deepseek", request("deepseek"), model="deepseek-v4-flash").json()["model"] == "deepseek-flash"


def test_gemini_lists_what_the_key_cannot_use(sim: Simulator) -> None:
    """models.get answers for a model that generateContent is a 404 for."""
    assert "gemini-2.5-flash-lite" in ids(sim, "gemini")
    one = get(sim, "gemini", "/gemini-2.5-flash-lite")
    assert (one.status_code, one.json()["name"]) == (200, "models/gemini-2.5-flash-lite")
    assert post(sim, "gemini", request("gemini"), model="gemini-2.5-flash-lite").status_code == 404
    lite = get(sim, "gemini", "/gemini-3.5-flash-lite").json()
    assert (lite["inputTokenLimit"], lite["outputTokenLimit"], lite["thinking"]) == (1_048_576, 65_536, True)
    assert "generateContent" in lite["supportedGenerationMethods"]


def test_gemini_lists_in_pages(sim: Simulator) -> None:
    """Up to 50 at once unless another size is asked for; a page that is not the last names the next."""
    everything, paged, token = get(sim, "gemini", pageSize=1000).json(), [], ""
    assert "nextPageToken" not in everything
    while token is not None:
        page = get(sim, "gemini", pageSize=4, pageToken=token).json()
        assert len(page["models"]) <= 4
        paged, token = paged + page["models"], page.get("nextPageToken")
    assert paged == everything["models"]
    assert get(sim, "gemini", pageSize="x").json() == gemini_error("Request contains an invalid argument.")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_model_may_go(sim: Simulator, provider: str) -> None:
    """Refused as the provider refuses models, out of its list, and back once it is sold again."""
    model = MODELS[provider]
    sim.set(provider, models={model: "gone"})
    refused = call(sim, provider)
    assert refused.status_code == {"openai": 404, "deepseek": 400, "gemini": 404}[provider]
    assert model in refused.json()["error"]["message"]
    assert model not in ids(sim, provider)
    sim.set(provider, models={model: "sold"})
    assert call(sim, provider).status_code == 200
    assert model in ids(sim, provider)


def test_deepseek_names_what_it_still_sells(sim: Simulator) -> None:
    """The sentence of the refusal follows the list."""
    sim.set("deepseek", models={"deepseek-flash": "gone"})
    message = "The supported API model names are deepseek-v4-pro, but you passed deepseek-flash."
    assert call(sim, "deepseek").json() == deepseek_error(message)


def test_gemini_closes_a_model_to_new_keys(sim: Simulator) -> None:
    """Still in its list, and a 404 all the same."""
    sim.set("gemini", models={"gemini-3.5-flash-lite": "closed"})
    refused = call(sim, "gemini")
    assert refused.status_code == 404
    assert "is no longer available to new users" in refused.json()["error"]["message"]
    assert "gemini-3.5-flash-lite" in ids(sim, "gemini")


def test_a_newer_rule_makes_a_request_unfit(sim: Simulator) -> None:
    """What was taken yesterday is refused in the provider's own words."""
    sim.set("all", models=dict.fromkeys(MODELS.values(), "unfit"))
    message = "Unsupported parameter: 'max_completion_tokens' is not supported with this model."
    refused = openai_error(message, "max_completion_tokens", "unsupported_parameter")
    assert call(sim, "openai").json() == refused
    assert call(sim, "deepseek").json() == deepseek_error("This response_format type is unavailable now")
    level = "Thinking level MINIMAL is not supported for this model. Please retry with other thinking level."
    assert call(sim, "gemini").json() == gemini_error(level)
    bare = post(sim, "openai", request("openai", max_completion_tokens=None)).json()["error"]
    assert (bare["param"], bare["code"]) == ("reasoning_effort", "unsupported_value")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_model_may_think_whatever_is_asked(sim: Simulator, provider: str) -> None:
    """Its thoughts use up the limit, though the request turned thinking off."""
    sim.set(provider, models={MODELS[provider]: "thinks"})
    response = call(sim, provider)
    text, finish = said(response)
    assert (text, finish.lower() in ("length", "max_tokens")) == ("", True)
    usage = response.json().get("usageMetadata") or response.json()["usage"]["completion_tokens_details"]
    assert usage.get("thoughtsTokenCount", usage.get("reasoning_tokens")) == 700


def test_another_model_may_answer(sim: Simulator) -> None:
    """Its name stands in the answer and its rules hold; an unknown one goes by the rules of the model asked."""
    sim.set("openai", models={"gpt-6-luna": "as:gpt-6-luna-2026-09-22"})
    assert call(sim, "openai").json()["model"] == "gpt-6-luna-2026-09-22"
    sim.set("openai", models={"gpt-6-luna": "as:gpt-6.2-sol"})
    assert call(sim, "openai").json()["error"]["code"] == "unsupported_value"
    sim.set("gemini", models={"gemini-2.5-flash": "as:gemini-3.5-flash-lite"})
    routed = post(sim, "gemini", request("gemini"), model="gemini-2.5-flash")
    assert routed.json()["modelVersion"] == "gemini-3.5-flash-lite"


def test_a_new_model_may_be_sold(sim: Simulator) -> None:
    """By the rules of the provider's usual family."""
    sim.set("openai", models={"gpt-7-nova": "sold"})
    assert post(sim, "openai", request("openai"), model="gpt-7-nova").json()["model"] == "gpt-7-nova"
    assert "gpt-7-nova" in ids(sim, "openai")


def test_states_of_models_add_up_and_show(sim: Simulator) -> None:
    """An order changes those it names; a state that is none is refused."""
    sim.set("openai", models={"gpt-6-luna": "gone"})
    sim.set("openai", models={"gpt-6.1-terra": "thinks"}, latency_ms=(0, 1))
    shown = requests.get(sim.control_url, timeout=DEADLINE_S).json()["openai"]["behaviour"]["models"]
    assert shown == {"gpt-6-luna": "gone", "gpt-6.1-terra": "thinks"}
    for bad in ({"gpt-6-luna": "lost"}, {"gpt-6-luna": "as:"}, "gone", ["gpt-6-luna"], None):
        refused = requests.post(sim.control_url, json={"models": bad}, timeout=DEADLINE_S)
        assert refused.status_code == 400


def test_an_empty_account(sim: Simulator) -> None:
    """Each provider says so in its own way, and lists its models all the same."""
    sim.set("all", mode="no_money")
    openai, deepseek, gemini = (call(sim, name) for name in ("openai", "deepseek", "gemini"))
    quota = "You exceeded your current quota, please check your plan and billing details."
    kind = {"type": "insufficient_quota", "param": None, "code": "insufficient_quota"}
    assert (openai.status_code, openai.json()) == (429, {"error": {"message": quota, **kind}})
    balance = {"type": "unknown_error", "param": None, "code": "invalid_request_error"}
    assert (deepseek.status_code, deepseek.json()["error"]) == (402, {"message": "Insufficient Balance", **balance})
    assert (gemini.status_code, gemini.json()["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert [get(sim, name).status_code for name in PROVIDERS] == [200] * 3


def test_counts_by_model_and_by_status(sim: Simulator) -> None:
    """Refused calls count as calls; those without a fit key and those that cannot be read only by their status."""
    call(sim, "openai")
    post(sim, "openai", request("openai"), model="gpt-3.5-turbo")
    post(sim, "openai", request("openai", max_tokens=5))
    call(sim, "openai", key="invalid")
    post(sim, "openai", {})
    sim.set("openai", status=503)
    call(sim, "openai")
    counted = sim.counters("openai")
    assert counted.calls == 4
    assert counted.calls_by_model == {"gpt-6-luna": 3, "gpt-3.5-turbo": 1}
    assert counted.calls_by_status == {"200": 1, "404": 1, "400": 2, "401": 1, "503": 1}
    shown = requests.get(sim.control_url, timeout=DEADLINE_S).json()["openai"]
    assert json.dumps(shown["calls_by_status"]) == json.dumps(counted.calls_by_status)
    sim.reset()
    assert sim.counters("openai").calls_by_model == {}

"""Spoilt answers of the simulated models, and where these read the shop's facts; over real connections."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from helpers.simulated import CONTEXT, USER, call, post, request, said

from worker.devkit.assistant import answer, marked
from worker.devkit.simulator import Simulator

PROVIDERS = ("openai", "gemini", "deepseek")


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A simulator without latency."""
    with Simulator() as simulator:
        yield simulator


@pytest.mark.parametrize("provider", PROVIDERS)
def test_blank_is_nothing_but_blanks(sim: Simulator, provider: str) -> None:
    """Complete, billed and empty."""
    sim.set(provider, mode="blank")
    text, finish = said(call(sim, provider))
    assert (text.strip(), finish.lower()) == ("", "stop")
    assert text


@pytest.mark.parametrize("provider", PROVIDERS)
def test_prose_stands_around_the_json(sim: Simulator, provider: str) -> None:
    """Thoughts in tags before it, a courtesy behind it."""
    sim.set(provider, mode="prose")
    text, _ = said(call(sim, provider))
    assert text.startswith("<think>")
    assert json.loads(text[text.index("{") : text.rindex("}") + 1]) == marked(answer(CONTEXT), CONTEXT)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_parts_are_put_together_again(sim: Simulator, provider: str) -> None:
    """The text in two parts; Gemini's has a thought before them."""
    sim.set(provider, mode="parts")
    response = call(sim, provider)
    assert json.loads(said(response)[0]) == marked(answer(CONTEXT), CONTEXT)
    body = response.json()
    parts = (
        body["candidates"][0]["content"]["parts"] if provider == "gemini" else body["choices"][0]["message"]["content"]
    )
    assert len(parts) == (3 if provider == "gemini" else 2)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_echo_sends_the_request_back(sim: Simulator, provider: str) -> None:
    """The user text, whatever was asked for."""
    sim.set(provider, mode="echo")
    assert said(call(sim, provider))[0] == USER


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("apart", [True, False])
def test_reads_categories_from_the_system_too(sim: Simulator, provider: str, apart: bool) -> None:
    """The shop's facts may stand in a JSON line of the instructions; the mark is of the user text alone."""
    context = {"products": [], "message": "menú"}
    system = 'Respondé en JSON.\n{"categories": ["Fiambres", "Bebidas"]}\nGracias.'
    parts = [{"type": "text", "text": system[:20]}, {"type": "text", "text": system[20:]}]
    body = request(provider, json.dumps(context), parts if apart and provider == "openai" else system)
    spoken = json.loads(said(post(sim, provider, body))[0])
    assert "• Fiambres\n• Bebidas" in spoken["reply"]
    assert spoken["entities"] == marked({"entities": {}}, context)["entities"]

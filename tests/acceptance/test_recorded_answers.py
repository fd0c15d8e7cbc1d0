"""The whole service with providers that are none of ours: they answer what real ones were recorded to answer.

Each case ends in one proper reply, in the right state of the circuit, and with the right cost.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from helpers.http_provider import Answer, Handler, chunked, drip, raw, say
from helpers.provider_case import DECISION, FIRST_ASKED, HEALTHY, NEXT, Shop, decision_of
from helpers.recorded import RECORDED, TABLE, Recording, changed, cost_microusd, recorded, saying

if not RECORDED.is_dir():
    pytest.skip("the recorded answers are not beside this checkout", allow_module_level=True)

PROVIDERS = ("openai", "deepseek", "gemini")
ENDPOINTS = {
    "openai": "/v1/chat/completions",
    "deepseek": "/chat/completions",
    "gemini": f"/v1beta/models/{TABLE['gemini']['model'][0]['id']}:generateContent",
}
HTML = b"<!doctype html><title>502 Bad Gateway</title><center>cloudflare</center>"


def bare(answer: Answer) -> Recording:
    """An answer that nobody is billed for."""
    return Recording(answer)


def given_up(answer: Answer) -> Recording:
    """An answer that never ends, or not whole."""
    return Recording(answer, given_up=True)


def slowly(whole: Recording) -> Answer:
    """The same body in twenty pieces, 20 ms apart."""
    content = json.dumps(whole.body).encode()
    size = -(-len(content) // 20)

    def play(handler: Handler) -> None:
        handler.wfile.write(chunked(b""))
        for start in range(0, len(content), size):
            piece = content[start : start + size]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            handler.server.stopping.wait(0.02)
        handler.wfile.write(b"0\r\n\r\n")

    return play


@pytest.mark.parametrize("provider", PROVIDERS)
def test_success(shop: Shop, provider: str) -> None:
    """Our decision in a recorded envelope: one call, this provider's words, its price, a reply worth caching."""
    reply = shop.ask(FIRST_ASKED[provider])
    assert (reply["source"], reply["provider"]) == ("ai", TABLE[provider]["name"])
    assert (reply["text"], reply["intent"], reply["confidence"]) == (f"Hola de {provider}", "greeting", 0.9)
    assert reply["quick_replies"] == DECISION["quick_replies"]
    assert shop.calls() == {provider: 1}
    assert shop.servers[provider].seen[0].path == ENDPOINTS[provider]
    shop.check_bill(reply, [(provider, shop.good[provider])])
    assert shop.circuit(provider) == HEALTHY
    assert shop.cached_replies() == 1


def said(content: Any) -> str:
    """The text of a message, which may come in parts."""
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


@pytest.mark.parametrize("figures", [{}, {"prompt_tokens": 2**63, "completion_tokens": -1}], ids=["none", "absurd"])
def test_success_without_figures(shop: Shop, figures: dict[str, int]) -> None:
    """The bill is estimated at a token per four characters, because money was spent; nothing else is disturbed."""
    whole = saying("openai", decision_of("openai")).body | {"usage": figures}
    shop.play("openai", bare(say(200, whole)))
    reply = shop.ask(FIRST_ASKED["openai"])
    asked = "".join(said(message["content"]) for message in shop.servers["openai"].seen[0].body["messages"])
    tokens = (-(-len(asked) // 4), 0, -(-len(decision_of("openai")) // 4))
    assert shop.metric(reply).cost_microusd == cost_microusd("openai", *tokens)
    assert reply["provider"] == TABLE["openai"]["name"]


def test_a_good_answer_that_comes_slowly(shop: Shop) -> None:
    """A byte now and then, but all of them in time: as good as any."""
    shop.play("deepseek", bare(slowly(shop.good["deepseek"])))
    reply = shop.ask(FIRST_ASKED["deepseek"])
    assert reply["text"] == "Hola de deepseek"
    shop.check_bill(reply, [("deepseek", shop.good["deepseek"])])
    assert shop.circuit("deepseek") == HEALTHY


HUNG_UP = given_up(raw(b""))
DRIP = given_up(drip(chunked(b""), b"1\r\n \r\n"))
CONTENT = ("candidates", 0, "content")
MESSAGE = ("choices", 0, "message")
#: What is about this message only: the circuit never hears of it.
REFUSED = {
    "openai context length": ("openai", recorded("openai_400_context_length")),
    "deepseek context length": ("deepseek", recorded("deepseek_400_context_length")),
    "gemini safety": ("gemini", recorded("gemini_200_finish_safety_empty_content")),
    "gemini prompt blocked": (
        "gemini",
        changed("gemini_200_finish_safety_empty_content", {"blockReason": "SAFETY"}, "promptFeedback"),
    ),
    "openai refusal": ("openai", changed("openai_200_simple", "I'm sorry, no.", *MESSAGE, "refusal")),
    "openai content filter": ("openai", changed("openai_200_simple", "content_filter", "choices", 0, "finish_reason")),
}


@pytest.mark.parametrize(("provider", "refusal"), REFUSED.values(), ids=list(REFUSED))
def test_what_counts_against_the_message_only(shop: Shop, provider: str, refusal: Recording) -> None:
    """The next candidate answers; the refusal is paid for where it was billed; the circuit is as if never asked."""
    shop.play(provider, refusal)
    shop.check_rescue(provider, [refusal])
    assert shop.circuit(provider) == {}


#: What counts against the provider: one failure in a row, its circuit stays closed.
FAILED = {
    "openai text": ("openai", [recorded("openai_200_simple")] * 2),
    "deepseek other JSON": ("deepseek", [recorded("deepseek_200_json_mode")] * 2),
    "gemini text": ("gemini", [recorded("gemini_200_text")] * 2),
    "gemini text, then cut short": (
        "gemini",
        [recorded("gemini_200_text"), recorded("gemini_200_max_tokens_truncated_text")],
    ),
    "openai cut short": ("openai", [recorded("openai_shape_200_finish_length")]),
    "deepseek cut short": ("deepseek", [recorded("deepseek_200_text")]),
    "gemini cut short": ("gemini", [recorded("gemini_200_max_tokens_truncated_text")]),
    "gemini no parts": ("gemini", [changed("gemini_200_text", {"role": "model"}, *CONTENT)]),
    "gemini empty part": ("gemini", [changed("gemini_200_text", [{"text": ""}], *CONTENT, "parts")]),
    "gemini no candidates": ("gemini", [changed("gemini_200_text", [], "candidates")]),
    "openai empty content": ("openai", [changed("openai_200_simple", "", *MESSAGE, "content")]),
    "deepseek no content": ("deepseek", [changed("deepseek_200_json_mode", None, *MESSAGE, "content")]),
    "deepseek out of capacity": (
        "deepseek",
        [changed("deepseek_200_text", "insufficient_system_resource", "choices", 0, "finish_reason")],
    ),
    "gemini overloaded": ("gemini", [recorded("gemini_503_overloaded")]),
    "openai 503 with a wait": ("openai", [bare(say(503, b"", Retry_After="90"))]),
    "html 502": ("openai", [bare(say(502, HTML, Content_Type="text/html"))]),
    "error with 200": ("gemini", [bare(say(200, recorded("gemini_503_overloaded").body))]),
    "html 403": ("openai", [bare(say(403, HTML))]),
    "html 200": ("deepseek", [bare(say(200, HTML, Content_Type="text/html"))]),
    "hung up": ("gemini", [HUNG_UP]),
    "cut in the body": ("openai", [given_up(raw(b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"choices": [{'))]),
    "cut in a chunk": ("deepseek", [given_up(raw(chunked(b'20\r\n{"choices"')))]),
    "slow drip": ("gemini", [DRIP]),
}


@pytest.mark.parametrize(("provider", "answers"), FAILED.values(), ids=list(FAILED))
def test_what_counts_against_the_provider(shop: Shop, provider: str, answers: list[Recording]) -> None:
    """The next candidate answers, what was billed is paid, and the circuit counts one failure; one good answer later
    it counts none.
    """
    shop.play(provider, *answers)
    shop.check_rescue(provider, answers)
    assert shop.circuit(provider) == HEALTHY | {"failures": "1"}
    shop.play(provider, shop.good[provider])
    assert shop.ask(FIRST_ASKED[provider])["provider"] == TABLE[provider]["name"]
    assert shop.circuit(provider) == HEALTHY


LONG_MS, UNNAMED_MS = 300_000, 20_000
#: What opens the circuit at once: kind and milliseconds.
OPENED = {
    "openai wrong key": ("openai", recorded("openai_401_invalid_key"), "denied", LONG_MS),
    "deepseek wrong key": ("deepseek", recorded("deepseek_401_auth"), "denied", LONG_MS),
    "gemini wrong key": ("gemini", recorded("gemini_400_invalid_key"), "denied", LONG_MS),
    "deepseek no balance": ("deepseek", bare(say(402, {"error": {"message": "?"}})), "denied", LONG_MS),
    "openai wait in the text": ("openai", recorded("openai_429_rpm_gpt35"), "rate_limited", 20_000),
    "gemini retryDelay": ("gemini", recorded("gemini_429_quota"), "rate_limited", 48_000),
    "header over text": ("openai", recorded("openai_429_rpm_gpt35", Retry_After="33"), "rate_limited", 33_000),
    "no wait named": ("deepseek", bare(say(429, HTML)), "rate_limited", UNNAMED_MS),
}


@pytest.mark.parametrize(("provider", "refusal", "reason", "open_ms"), OPENED.values(), ids=list(OPENED))
def test_what_opens_the_circuit_at_once(
    shop: Shop, provider: str, refusal: Recording, reason: str, open_ms: int
) -> None:
    """One call and none after it, for as long as the provider asks, or five minutes where a person must act."""
    shop.play(provider, refusal)
    shop.check_rescue(provider, [refusal])
    circuit = shop.circuit(provider)
    assert (circuit["state"], circuit["reason"]) == ("open", reason)
    assert shop.open_ms(provider) == open_ms
    assert shop.circuit_events() == [{"provider": TABLE[provider]["name"], "state": "open", "reason": reason}]
    shop.play(provider, shop.good[provider])
    assert shop.ask(FIRST_ASKED[provider])["provider"] == TABLE[NEXT[provider]]["name"]
    assert shop.calls()[provider] == 1


@pytest.mark.parametrize(
    ("provider", "name"), [("openai", "openai_404_unknown_model"), ("gemini", "gemini_404_unknown_model")]
)
def test_a_model_that_is_gone_is_set_aside(shop: Shop, provider: str, name: str) -> None:
    """The provider's next model answers the same message, and the next one at once; its own circuit stays healthy."""
    shop.play(provider, recorded(name), shop.good[provider])
    for calls in (2, 3):
        assert shop.ask(FIRST_ASKED[provider])["text"] == f"Hola de {provider}"
        assert shop.calls() == {provider: calls}
    assert shop.circuit(provider) in ({}, HEALTHY)
    (event,) = shop.circuit_events()
    model = TABLE[provider]["model"][0]["id"]
    assert (event["model"], event["state"], event["reason"]) == (model, "open", "model_gone")


def test_five_failures_in_a_row_open_the_circuit(shop: Shop) -> None:
    """For five seconds, give or take a fifth; each message was answered, and the sixth is not tried there."""
    shop.play("gemini", recorded("gemini_503_overloaded"))
    replies = [shop.ask("2") for _ in range(6)]
    assert {reply["provider"] for reply in replies} == {TABLE[NEXT["gemini"]]["name"]}
    assert shop.calls() == {"gemini": 5, NEXT["gemini"]: 6}
    assert shop.circuit("gemini")["state"] == "open"
    assert 4_000 <= shop.open_ms("gemini") <= 6_000


#: Nobody answers: recordings by provider, and how often the last candidate (gemini) is asked.
ALL_DOWN: dict[str, tuple[dict[str, list[Recording]], int]] = {
    "cut short": (
        {
            "deepseek": [recorded("deepseek_200_text")],
            "gemini": [recorded("gemini_200_max_tokens_truncated_text")],
            "openai": [recorded("openai_shape_200_finish_length")],
        },
        1,
    ),
    "hung up": ({provider: [HUNG_UP] for provider in PROVIDERS}, 2),
    "slow drip until the deadline": ({provider: [DRIP] for provider in PROVIDERS}, 1),
}


@pytest.mark.parametrize(("answers", "asked"), ALL_DOWN.values(), ids=list(ALL_DOWN))
def test_nobody_answers(shop: Shop, answers: dict[str, list[Recording]], asked: int) -> None:
    """A fallback reply, never cached; one failure for each, second attempts included; what was billed is paid."""
    for provider, played in answers.items():
        shop.play(provider, *played)
    reply = shop.ask(FIRST_ASKED["deepseek"])
    assert (reply["source"], reply["provider"]) == ("fallback", None)
    assert shop.calls() == {"deepseek": 1, "openai": 1, "gemini": asked}
    again = [("gemini", answers["gemini"][0])] * (asked - 1)
    shop.check_bill(reply, [*again, *((provider, one) for provider, played in answers.items() for one in played)])
    for provider in PROVIDERS:
        assert shop.circuit(provider) == HEALTHY | {"failures": "1"}
    assert shop.cached_replies() == 0


def test_the_last_candidate_gets_a_second_attempt(shop: Shop) -> None:
    """Two are overloaded and the third hangs up once: it is asked again, answers, and counts as healthy."""
    for provider in ("deepseek", "openai"):
        shop.play(provider, recorded("gemini_503_overloaded"))
    answers = [HUNG_UP, shop.good["gemini"]]
    shop.play("gemini", *answers)
    reply = shop.ask(FIRST_ASKED["deepseek"])
    assert reply["text"] == "Hola de gemini"
    assert shop.calls() == {"deepseek": 1, "openai": 1, "gemini": 2}
    overloaded = recorded("gemini_503_overloaded")
    tried = [("gemini", answer) for answer in answers]
    shop.check_bill(reply, [("deepseek", overloaded), ("openai", overloaded), *tried])
    assert shop.circuit("gemini") == HEALTHY

"""The simulated providers over real connections: both wire formats, and every way to misbehave."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from helpers.basics import GUARD_S
from helpers.simulated import CONTEXT, DEADLINE_S, SYSTEM, USER, call, said, without

from worker.devkit.assistant import answer, marked
from worker.devkit.behaviour import Behaviour
from worker.devkit.simulator import Simulator
from worker.devkit.sold_models import APIS

PROVIDERS = tuple(APIS)
WIRE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "llm_wire"


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A simulator without latency."""
    with Simulator() as simulator:
        yield simulator


def wait_until(condition: Any) -> None:
    """Returns as soon as the condition holds; fails after DEADLINE_S."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        threading.Event().wait(0.005)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_answers_as_the_assistant_would(sim: Simulator, provider: str) -> None:
    """The text is the brain's JSON for the request's own context, marked; the same each time but for the cache."""
    first, second = call(sim, provider), call(sim, provider)
    text, finish = said(first)
    assert json.loads(text) == marked(answer(CONTEXT), CONTEXT)
    assert finish in ("stop", "STOP")
    assert without(first.json(), "usage") == without(second.json(), "usage")
    assert sim.calls(provider) == 2
    assert sim.counters(provider).by_user_sha256 == {hashlib.sha256(USER.encode()).hexdigest(): 2}


def test_plain_text_is_a_bare_message(sim: Simulator) -> None:
    """A user text that is no JSON object, such as a probe, is answered as a message."""
    assert json.loads(said(call(sim, "openai", user="hola"))[0])["intent"] == "greeting"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_same_calls_get_the_same_bytes(provider: str) -> None:
    """Two simulators answer the same sequence of requests alike, caches and counters included."""

    def answers() -> list[bytes]:
        with Simulator() as sim:
            return [call(sim, provider, user=f"hola {n % 3}").content for n in range(9)]

    assert answers() == answers()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_counts_tokens_of_prompt_and_answer(sim: Simulator, provider: str) -> None:
    """Characters / 4, by each provider's own names."""
    response = call(sim, provider)
    body = response.json()
    prompt, completion = -(-len(SYSTEM + USER) // 4), -(-len(said(response)[0]) // 4)
    if provider == "gemini":
        total = prompt + completion
        counted = {"promptTokenCount": prompt, "candidatesTokenCount": completion, "totalTokenCount": total}
        assert body["usageMetadata"] == counted
    else:
        usage = body["usage"]
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (prompt, completion)
        assert usage["total_tokens"] == prompt + completion


@pytest.mark.skipif(not WIRE.is_dir(), reason="recorded provider answers are not part of the repository")
@pytest.mark.parametrize(
    ("provider", "mode", "recording"),
    [
        ("openai", "ok", "openai_200_simple"),
        ("deepseek", "ok", "deepseek_200_json_mode"),
        ("gemini", "ok", "gemini_200_text"),
        ("gemini", "truncated", "gemini_200_max_tokens_truncated_text"),
        ("gemini", "refuse", "gemini_200_finish_safety_empty_content"),
    ],
)
def test_answers_have_the_recorded_shape(sim: Simulator, provider: str, mode: str, recording: str) -> None:
    """Every field of an answer stands in a recorded answer of the real provider, with a value of the same type."""
    sim.set(provider, mode=mode)
    recorded = json.loads((WIRE / f"{recording}.json").read_text(encoding="utf-8"))["response"]["body"]
    lenient = {
        "refusal",
        "index",
        "candidatesTokenCount",
        "cache_write_tokens",
    }  # left out of some recordings, present in others
    assert misfits(call(sim, provider).json(), recorded, lenient) == []


@pytest.mark.skipif(not WIRE.is_dir(), reason="recorded provider answers are not part of the repository")
@pytest.mark.parametrize(
    ("provider", "recording"),
    [("openai", "openai_401_invalid_key"), ("deepseek", "deepseek_401_auth"), ("gemini", "gemini_400_invalid_key")],
)
def test_refuses_a_bad_key_as_recorded(sim: Simulator, provider: str, recording: str) -> None:
    """Status and error object for a wrong key are those of the real provider, but for the wording."""
    recorded = json.loads((WIRE / f"{recording}.json").read_text(encoding="utf-8"))["response"]
    response = call(sim, provider, key="invalid-key")
    assert response.status_code == recorded["status"]
    assert misfits(response.json(), recorded["body"], set()) == []
    for name in ("type", "code", "status"):
        assert response.json()["error"].get(name) == recorded["body"]["error"].get(name)


def misfits(ours: Any, recorded: Any, lenient: set[str], path: str = "") -> list[str]:
    """Where our JSON has a field the recording lacks, or a value of another type."""
    if isinstance(ours, dict) and isinstance(recorded, dict):
        strange = [f"{path}.{name}" for name in ours if name not in recorded and name not in lenient]
        inner = (misfits(ours[name], recorded[name], lenient, f"{path}.{name}") for name in ours if name in recorded)
        return strange + [each for found in inner for each in found]
    if isinstance(ours, list) and isinstance(recorded, list) and ours:
        return misfits(ours[0], recorded[0], lenient, f"{path}[]")
    return [] if isinstance(ours, type(recorded)) else [f"{path}: {type(ours)} is no {type(recorded)}"]


@pytest.mark.parametrize(("provider", "status"), [("openai", 401), ("deepseek", 401), ("gemini", 403)])
def test_asks_for_a_key(sim: Simulator, provider: str, status: int) -> None:
    """Without a key there is an error and no call."""
    response = call(sim, provider, key="")
    assert response.status_code == status
    assert response.json()["error"]["message"]
    assert sim.calls(provider) == 0


def test_lists_models_and_knows_no_other_paths(sim: Simulator) -> None:
    """GET models answers a probe in each format, wants a key, fails with its provider; other paths are 404."""
    openai, gemini = sim.base_urls["OPENAI_BASE_URL"], sim.base_urls["GEMINI_BASE_URL"]
    bearer, google = {"Authorization": "Bearer k"}, {"x-goog-api-key": "k"}
    assert "gpt-6-luna" in [
        each["id"] for each in requests.get(f"{openai}/models", headers=bearer, timeout=GUARD_S).json()["data"]
    ]
    listed = requests.get(f"{gemini}/models", headers=google, timeout=GUARD_S).json()["models"]
    assert "models/gemini-3.5-flash-lite" in [each["name"] for each in listed]
    assert requests.get(f"{openai}/models", timeout=GUARD_S).status_code == 401
    sim.set("openai", status=503)
    assert requests.get(f"{openai}/models", headers=bearer, timeout=GUARD_S).status_code == 503
    assert requests.get(f"{openai}/nothing", headers=bearer, timeout=GUARD_S).status_code == 404
    assert requests.post(f"{gemini}/chat/completions", headers=google, json={}, timeout=GUARD_S).status_code == 404


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_body_that_is_no_request_is_a_400(sim: Simulator, provider: str) -> None:
    """Neither broken JSON nor JSON of another shape is answered, and the connection lives on."""
    base = sim.base_urls[f"{provider.upper()}_BASE_URL"]
    path = "/models/m:generateContent" if provider == "gemini" else "/chat/completions"
    with requests.Session() as session:
        for body in (b"{", b"[]", b"{}", b'{"messages":[]}', b'{"contents":[]}'):
            response = session.post(base + path, data=body, timeout=DEADLINE_S)
            assert response.status_code == 400
            assert "error" in response.json()


@pytest.mark.parametrize("status", [400, 401, 402, 404, 429, 500, 503])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_answers_an_ordered_status(sim: Simulator, provider: str, status: int) -> None:
    """A set status comes with the provider's error shape, until it is taken back."""
    sim.set(provider, status=status)
    response = call(sim, provider)
    assert response.status_code == status
    assert response.json()["error"]["message"]
    sim.set(provider, status=None)
    assert call(sim, provider).status_code == 200


def test_names_the_wait_where_the_provider_does(sim: Simulator) -> None:
    """429: OpenAI and DeepSeek name the wait in a header, Gemini in the body."""
    sim.set("all", status=429, retry_after_s=1.5)
    assert call(sim, "openai").headers["Retry-After"] == call(sim, "deepseek").headers["Retry-After"] == "1.5"
    gemini = call(sim, "gemini")
    assert "Retry-After" not in gemini.headers
    assert gemini.json()["error"]["details"][0]["retryDelay"] == "1.5s"
    assert gemini.json()["error"]["status"] == "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_spoils_the_content(sim: Simulator, provider: str) -> None:
    """garbage, empty, truncated and refuse are complete answers with nothing usable in them."""
    reasons = {"truncated": ("length", "MAX_TOKENS"), "refuse": ("content_filter", "SAFETY")}
    for mode in ("garbage", "empty", "truncated", "refuse"):
        sim.set(provider, mode=mode)
        response = call(sim, provider)
        text, finish = said(response)
        assert response.status_code == 200
        assert finish == reasons.get(mode, ("stop", "STOP"))[provider == "gemini"]
        assert bool(text) == (mode in ("garbage", "truncated"))
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)


def test_html_is_a_page_with_status_200(sim: Simulator) -> None:
    """What a proxy in front of a provider may answer."""
    sim.set("openai", mode="html")
    response = call(sim, "openai")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/html")
    assert response.text.startswith("<!doctype html>")


def test_cut_ends_the_connection_in_the_middle(sim: Simulator) -> None:
    """The client is promised more bytes than it gets."""
    sim.set("openai", mode="cut")
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        call(sim, "openai")


def test_drip_sends_a_byte_at_a_time(sim: Simulator) -> None:
    """The head comes at once, the body byte by byte, and leaving in the middle is no error."""
    sim.set("openai", mode="drip")
    with call(sim, "openai", stream=True) as response:
        assert response.status_code == 200
        began = time.monotonic()
        assert response.raw.read(4) == b'{"id'
        assert time.monotonic() - began >= 0.25


def test_hang_answers_only_when_released(sim: Simulator) -> None:
    """A hanging call counts as in flight, and gets its answer once the mode is ok again."""
    sim.set("gemini", mode="hang")
    with ThreadPoolExecutor(2) as pool:
        hanging = [pool.submit(call, sim, "gemini") for _ in range(2)]
        wait_until(lambda: sim.counters("gemini").in_flight == 2)
        assert call(sim, "openai").status_code == 200
        sim.set("gemini", latency_ms=(0, 1))
        assert call(sim, "openai").status_code == 200
        assert not any(each.done() for each in hanging)
        sim.set("gemini", mode="ok")
        assert [each.result(DEADLINE_S).status_code for each in hanging] == [200, 200]
    counters = sim.counters("gemini")
    assert (counters.calls, counters.in_flight, counters.max_in_flight) == (2, 0, 2)


def test_a_hanging_call_ends_with_its_client(sim: Simulator) -> None:
    """A client that gives up leaves nothing in flight."""
    sim.set("openai", mode="hang")
    with pytest.raises(requests.exceptions.ReadTimeout):
        call(sim, "openai", timeout=0.1)
    wait_until(lambda: sim.counters("openai").in_flight == 0)
    assert sim.calls("openai") == 1


def test_error_rate_is_seeded() -> None:
    """About the given share of calls fails, the same ones for the same seed, others for another."""

    def statuses(seed: int) -> list[int]:
        with Simulator(seed=seed) as sim:
            sim.set("openai", error_rate=0.3)
            return [call(sim, "openai").status_code for _ in range(40)]

    first = statuses(1)
    assert first == statuses(1)
    assert first != statuses(2)
    assert 4 <= first.count(500) <= 20


def test_latency_is_within_its_range() -> None:
    """A call takes at least the least latency; providers may differ."""
    with Simulator() as sim:
        sim.set("deepseek", latency_ms=(80, 90))
        began = time.monotonic()
        call(sim, "deepseek")
        assert time.monotonic() - began >= 0.08
        shown = requests.get(sim.control_url, timeout=DEADLINE_S).json()
    assert [shown[name]["behaviour"]["latency_ms"] for name in ("deepseek", "openai")] == [[80, 90], [0, 0]]


def test_copes_with_64_connections_at_once(sim: Simulator) -> None:
    """64 kept-alive connections are served side by side, and each may be used again."""
    sim.set("openai", mode="hang")
    with ThreadPoolExecutor(64) as pool:
        answers = [pool.submit(call, sim, "openai", user=f"hola {n}") for n in range(64)]
        wait_until(lambda: sim.counters("openai").in_flight == 64)
        sim.set("openai", mode="ok")
        assert {each.result(DEADLINE_S).status_code for each in answers} == {200}
    counters = sim.counters("openai")
    assert (counters.max_in_flight, len(counters.by_user_sha256)) == (64, 64)


def test_keeps_connections_alive(sim: Simulator) -> None:
    """One session makes many calls over one connection."""
    with requests.Session() as session:
        url, headers = f"{sim.base_urls['OPENAI_BASE_URL']}/models", {"Authorization": "Bearer k"}
        ports = set()
        for _ in range(3):
            with session.get(url, headers=headers, timeout=DEADLINE_S, stream=True) as response:
                ports.add(response.raw.connection.sock.getsockname()[1])
                assert response.json()["object"] == "list"
    assert len(ports) == 1


def test_closes_promptly_and_leaves_nothing_behind() -> None:
    """Hanging, dripping, waiting and idle connections do not hold up the end, and no thread or socket outlives it."""
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    idle = requests.Session()
    with ThreadPoolExecutor(6) as pool:
        with Simulator(port=port) as sim:
            idle.get(sim.control_url, timeout=DEADLINE_S)
            sim.set("openai", mode="hang")
            sim.set("gemini", mode="drip")
            sim.set("deepseek", latency_ms=(60_000, 60_000))
            held = [pool.submit(call, sim, name, timeout=30) for name in PROVIDERS * 2]
            wait_until(lambda: [sim.counters(name).in_flight for name in PROVIDERS] == [2, 0, 2])
            wait_until(lambda: sim.calls("gemini") == 2)
            began = time.monotonic()
        assert time.monotonic() - began < DEADLINE_S
        assert all(isinstance(each.exception(DEADLINE_S), requests.exceptions.RequestException) for each in held)
    idle.close()
    wait_until(lambda: threading.active_count() == before)
    with Simulator(port=port) as again:
        assert call(again, "openai").status_code == 200


def test_control_changes_and_shows_all(sim: Simulator) -> None:
    """Behaviours and counters are one POST and one GET away; what does not fit is refused and changes nothing."""
    call(sim, "openai")
    order = {"provider": "openai", "mode": "empty", "latency_ms": [1, 2], "reset": True}
    changed = requests.post(sim.control_url, json=order, timeout=DEADLINE_S).json()
    assert changed == requests.get(sim.control_url, timeout=DEADLINE_S).json()
    assert changed["openai"]["behaviour"]["mode"] == "empty"
    assert changed["openai"]["behaviour"]["latency_ms"] == [1, 2]
    assert changed["openai"]["calls"] == 0
    assert changed["gemini"]["behaviour"]["mode"] == "ok"
    requests.post(sim.control_url, json={"status": 500}, timeout=DEADLINE_S)
    assert [call(sim, name).status_code for name in PROVIDERS] == [500] * 3
    for bad in ({"mode": "lazy"}, {"speed": 9}, {"provider": "acme"}, {"error_rate": 2}, [], "x"):
        refused = requests.post(sim.control_url, json=bad, timeout=DEADLINE_S)
        assert refused.status_code == 400
        assert refused.json()["error"]
    assert call(sim, "gemini").status_code == 500


def test_behaviour_is_checked_where_it_is_made() -> None:
    """A behaviour that makes no sense is a ValueError in code too, also for a simulator that runs."""
    with pytest.raises(ValueError, match="mode"):
        replace(Behaviour(), mode="lazy")
    with Simulator() as sim, pytest.raises(ValueError, match="acme"):
        sim.set("acme", mode="ok")


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_runs_as_a_program_until_told_to_end(ending: signal.Signals) -> None:
    """Prints its URLs as one JSON line, serves, and exits 0 on a signal, with a hanging call or not."""
    command = [sys.executable, "-m", "worker.devkit.simulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        urls = json.loads(process.stdout.readline())
        requests.post(urls["CONTROL_URL"], json={"mode": "hang"}, timeout=DEADLINE_S)
        with socket.create_connection(("127.0.0.1", int(urls["CONTROL_URL"].split(":")[2].split("/")[0]))) as hanging:
            hanging.sendall(b"GET /openai/v1/models HTTP/1.1\r\nAuthorization: Bearer k\r\n\r\n")
            os.kill(process.pid, ending)
            assert process.wait(DEADLINE_S) == 0
        assert process.stdout.read() == ""


def test_a_taken_port_is_one_clear_line() -> None:
    """The program says which port is taken and exits 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "worker.devkit.simulator", "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"Error: port {port}: ")
    assert len(ended.stderr.splitlines()) == 1

"""AiClient against a real HTTP server that answers, fails, drips and lies like a provider on a bad day."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from helpers.basics import ends
from helpers.http_provider import Answer, Handler, Server, chunked, drip, raw, say, serving
from helpers.recorded import RECORDED, recorded
from helpers.tls import certificate, tls_front
from pydantic import SecretStr

from worker import errors
from worker.errors import ProviderError, ProviderTimeout, ProviderUnavailable, UnreadableAnswer
from worker.providers.client import AiClient
from worker.providers.models import Model, Price, Provider
from worker.providers.pricing import estimate_tokens
from worker.replies.prompt import AiRequest
from worker.usage import Usage

KEY = "sk-Secret0123"
REQUEST = AiRequest(system="Answer in JSON.", user='{"message":"quiero dos leches"}')
PRICE = Price(Decimal("0.5"), Decimal("0.5"), Decimal("1.5"), Decimal("0.5"))
MODEL = Model("model-1", (PRICE,))
ANSWER = {"choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9}}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own proxy settings are not what is tested."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(say(200, ANSWER)) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[AiClient]:
    """Closed before its server, which waits for the connections it has open."""
    client = AiClient()
    yield client
    client.close()


def provider(server: Server, wire: Any = "openai") -> Provider:
    return Provider("p", wire, f"{server.url}/v1", "", SecretStr(KEY), "KEY", None, (), 1.0, 5.0, (MODEL,))


def fails(client: AiClient, provider: Provider, within_s: float = 5.0) -> ProviderError:
    """The error of a call, after a look that no key and no text of a customer stands anywhere in it."""
    with pytest.raises(ProviderError) as raised:
        client.call(provider, MODEL, REQUEST, time.monotonic() + within_s)
    shown = f"{raised.value} {raised.value!r} {''.join(traceback.format_exception(raised.value))}"
    assert KEY not in shown
    assert "leches" not in shown
    return raised.value


# Recorded answers, over the wire

OUTCOMES: list[tuple[str, type[ProviderError] | str, Usage | float | None]] = [
    ("openai_200_simple", "The capital of France is Paris.", Usage(14, 0, 7)),
    ("deepseek_200_json_mode", '{\n  "location"', Usage(495, 320, 144)),
    ("gemini_200_text", "There are **3** r's", Usage(9, 0, 272)),
    ("deepseek_200_text", UnreadableAnswer, Usage(13, 0, 300)),
    ("openai_shape_200_finish_length", UnreadableAnswer, Usage(57, 0, 20)),
    ("gemini_200_max_tokens_truncated_text", UnreadableAnswer, Usage(15, 0, 5)),
    ("gemini_200_finish_safety_empty_content", errors.RequestRefused, Usage(14, 0, 0)),
    ("openai_401_invalid_key", errors.ProviderDenied, None),
    ("deepseek_401_auth", errors.ProviderDenied, None),
    ("gemini_400_invalid_key", errors.ProviderDenied, None),
    ("openai_400_context_length", errors.RequestRefused, None),
    ("deepseek_400_context_length", errors.RequestRefused, None),
    ("openai_404_unknown_model", errors.ModelGone, None),
    ("gemini_404_unknown_model", errors.ModelGone, None),
    ("openai_429_rpm_gpt35", errors.ProviderRateLimited, 20.0),
    ("gemini_429_quota", errors.ProviderRateLimited, 48.0),
    ("gemini_503_overloaded", ProviderUnavailable, None),
]


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers are not beside this checkout")
class TestRecorded:
    """Every answer that was recorded from a real provider, served again."""

    @pytest.mark.parametrize(("name", "outcome", "facts"), OUTCOMES)
    def test_outcome(self, server: Server, client: AiClient, name: str, outcome: Any, facts: Any) -> None:
        """Text and usage, or the right error with its usage or wait, come through the whole client."""
        server.answers = [recorded(name).answer]
        asked = provider(server, "gemini" if name.startswith("gemini") else "openai")
        if isinstance(outcome, str):
            completion = client.call(asked, MODEL, REQUEST, time.monotonic() + 5)
            assert completion.text.startswith(outcome)
            assert completion.usage == facts
        else:
            error = fails(client, asked)
            assert type(error) is outcome
            assert (error.usage or getattr(error, "retry_after_s", None)) == facts

    def test_none_is_forgotten(self) -> None:
        """A recording that is added needs a line above."""
        assert {file.stem for file in RECORDED.glob("*.json")} == {name for name, _, _ in OUTCOMES}


# A good day


def test_request_and_completion(server: Server, client: AiClient) -> None:
    """What the provider gets is what the wire format builds; what comes back names provider, model and time."""
    completion = client.call(provider(server), MODEL, REQUEST, time.monotonic() + 5)
    (seen,) = server.seen
    assert seen.path == "/v1/chat/completions"
    assert seen.headers["Authorization"] == f"Bearer {KEY}"
    assert seen.headers["Content-Type"] == "application/json"
    assert seen.body["messages"][1]["content"] == REQUEST.user
    assert (completion.provider, completion.model, completion.text) == ("p", "model-1", "{}")
    assert 0 < completion.latency_ms < 5000


def test_gemini_key_is_not_in_the_url(server: Server, client: AiClient) -> None:
    """Gemini's key travels in its header: URLs are logged everywhere."""
    body = {"candidates": [{"content": {"parts": [{"text": "{}"}]}, "finishReason": "STOP"}]}
    server.answers = [say(200, body)]
    client.call(provider(server, "gemini"), MODEL, REQUEST, time.monotonic() + 5)
    (seen,) = server.seen
    assert seen.path == "/v1/models/model-1:generateContent"
    assert seen.headers["x-goog-api-key"] == KEY
    assert "Authorization" not in seen.headers


@pytest.mark.parametrize("form", ["plain", "gzip", "chunked"])
def test_connections_are_kept(server: Server, client: AiClient, form: str) -> None:
    """Calls one after the other share a connection, however the answers are framed."""
    content = json.dumps(ANSWER).encode()
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (content[:7], content[7:]))

    def play(handler: Handler) -> None:
        handler.wfile.write(chunked(pieces + b"0\r\n\r\n"))

    zipped = say(200, gzip.compress(content), Content_Encoding="gzip")
    server.answers = [{"plain": say(200, content), "gzip": zipped, "chunked": play}[form]]
    for _ in range(3):
        assert client.call(provider(server), MODEL, REQUEST, time.monotonic() + 5).text == "{}"
    assert len({seen.port for seen in server.seen}) == 1


def test_threads_side_by_side(server: Server, client: AiClient) -> None:
    """Sixteen calls at a time are all under way at once, and each gets its own answer."""
    together = threading.Barrier(16, timeout=30)

    def echo(handler: Handler) -> None:
        together.wait()
        asked = handler.server.seen
        mine = next(seen.body for seen in asked if seen.port == handler.client_address[1])
        say(200, {"choices": [{"message": {"content": mine["messages"][1]["content"]}}]})(handler)

    server.answers = [echo]
    texts = [f"message {number}" for number in range(16)]

    def ask(text: str) -> str:
        return client.call(provider(server), MODEL, AiRequest("s", text), time.monotonic() + 30).text

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, texts)) == texts


def test_a_request_is_one_packet(server: Server, client: AiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Head and body are sent together, also when the connection is used again; each call has a body of its own."""
    sent: list[bytes] = []
    send = http.client.HTTPConnection.send

    def noting(connection: http.client.HTTPConnection, data: Any) -> None:
        sent.append(data)
        send(connection, data)

    monkeypatch.setattr(http.client.HTTPConnection, "send", noting)
    for user in ("uno", "otro ñ"):
        client.call(provider(server), MODEL, AiRequest("JSON", user), time.monotonic() + 5)
    assert [json.loads(packet.partition(b"\r\n\r\n")[2])["messages"][1]["content"] for packet in sent] == [
        "uno",
        "otro ñ",
    ]
    assert [seen.body["messages"][1]["content"] for seen in server.seen] == ["uno", "otro ñ"]


def test_a_key_that_changes_is_sent(server: Server, client: AiClient) -> None:
    """What is kept of a request is kept for its own headers."""
    for key in ("sk-one", "sk-two"):
        client.call(replace(provider(server), api_key=SecretStr(key)), MODEL, REQUEST, time.monotonic() + 5)
    assert [seen.headers["Authorization"] for seen in server.seen] == ["Bearer sk-one", "Bearer sk-two"]


def test_cookies_are_not_kept(server: Server, client: AiClient) -> None:
    """A cookie of one answer is not sent with the next request."""
    server.answers = [say(200, ANSWER, Set_Cookie="a=1")]
    for _ in range(2):
        client.call(provider(server), MODEL, REQUEST, time.monotonic() + 5)
    assert "Cookie" not in server.seen[1].headers


def test_netrc_does_not_replace_the_key(
    server: Server, client: AiClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry for the provider's host in somebody's netrc file changes nothing."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    client.call(provider(server), MODEL, REQUEST, time.monotonic() + 5)
    assert server.seen[0].headers["Authorization"] == f"Bearer {KEY}"


def test_proxy_of_the_environment(server: Server, client: AiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY is used, and through it, too, a dripping answer stops at the deadline."""
    monkeypatch.setenv("HTTP_PROXY", server.url)
    behind = replace(provider(server), base_url="http://provider.invalid/v1")
    client.call(behind, MODEL, REQUEST, time.monotonic() + 5)
    assert server.seen[0].path == "http://provider.invalid/v1/chat/completions"
    server.answers = [drip(chunked(b""), b"1\r\n \r\n")]
    assert isinstance(fails(client, behind, within_s=0.3), ProviderTimeout)


def test_over_tls(server: Server, client: AiClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of every real provider: the certificate is checked, the connection kept, and a drip stopped."""
    given = certificate(tmp_path)
    with tls_front(server.server_address[1], given) as port:
        secure = replace(provider(server), base_url=f"https://127.0.0.1:{port}/v1")
        assert isinstance(fails(client, secure), ProviderUnavailable)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(given.file))
        trusting = AiClient()
        for _ in range(2):
            trusting.call(secure, MODEL, REQUEST, time.monotonic() + 5)
        assert [seen.body["messages"][1]["content"] for seen in server.seen] == [REQUEST.user] * 2
        assert len({seen.port for seen in server.seen}) == 1
        server.answers = [drip(chunked(b""), b"1\r\n \r\n")]
        assert isinstance(fails(trusting, secure, within_s=0.5), ProviderTimeout)
        trusting.close()


# The deadline


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b" "),
        (chunked(b""), b"1\r\n \r\n"),
        (chunked(b"fff"), b"0"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 100000\r\n\r\n", b" "),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 100000\r\n\r\n", b" "),
    ],
    ids=["body", "body without length", "chunks", "chunk size", "continue", "header", "error body", "redirect body"],
)
def test_drip_stops_at_the_deadline(server: Server, client: AiClient, first: bytes, drop: bytes) -> None:
    """Bytes that keep coming, wherever in the answer, do not keep a call alive past its deadline."""
    server.answers = [drip(first, drop)]
    began_s = time.monotonic()
    assert isinstance(ends(lambda: fails(client, provider(server), within_s=0.5)), ProviderTimeout)
    assert time.monotonic() - began_s > 0.45
    assert len(server.seen) == 1


def test_silence_after_a_drip_does_not_start_the_limit_anew(server: Server, client: AiClient) -> None:
    """A provider that falls silent half way is left at the deadline, not a whole read timeout later: before one that
    never says anything and has a little more time.
    """

    def play(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        handler.server.stopping.wait(0.8)
        handler.wfile.write(b"{")
        handler.server.stopping.wait(60)

    server.answers = [play]
    ended: list[float] = []

    def leave(asked: Server, within_s: float) -> None:
        assert isinstance(fails(client, provider(asked), within_s), ProviderTimeout)
        ended.append(within_s)

    with serving(lambda handler: handler.server.stopping.wait(60)) as silent, ThreadPoolExecutor(2) as pool:
        list(pool.map(leave, (silent, server), (1.6, 1.0)))
    assert ended == [1.0, 1.6]


def test_the_providers_own_limit(server: Server, client: AiClient) -> None:
    """A provider that is slower than its own limit is left before the deadline, and not asked again."""
    server.answers = [drip(b"", b"")]
    impatient = replace(provider(server), timeout_s=0.2)
    assert isinstance(ends(lambda: fails(client, impatient, within_s=600)), ProviderTimeout)
    assert len(server.seen) == 1


def test_connection_that_nobody_accepts(client: AiClient, server: Server) -> None:
    """A full backlog is the provider's state where its own limit ended the wait, and the deadline's where that did."""
    with socket.socket() as full, socket.socket() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting.connect(full.getsockname())
        unreached = replace(provider(server), base_url=f"http://127.0.0.1:{full.getsockname()[1]}")
        assert type(fails(client, replace(unreached, connect_timeout_s=0.1), within_s=1.2)) is ProviderUnavailable
        assert type(fails(client, unreached, within_s=0.1)) is ProviderTimeout


def test_deadline_in_the_past(server: Server, client: AiClient) -> None:
    """A call whose time is over is not made."""
    assert isinstance(fails(client, provider(server), within_s=-1), ProviderTimeout)
    assert server.seen == []


def test_provider_without_a_key(server: Server, client: AiClient) -> None:
    """A provider without a key is not called: a customer's text goes to nobody who will not answer."""
    assert isinstance(fails(client, replace(provider(server), api_key=None)), errors.ProviderDenied)
    assert server.seen == []


# A bad day


BAD_ANSWERS: dict[str, tuple[Answer, type[ProviderError]]] = {
    "html": (say(200, b"<html><body>quiero dos leches</body></html>"), UnreadableAnswer),
    "empty": (say(200, b""), UnreadableAnswer),
    "not UTF-8": (say(200, b"\xff\xfe{"), UnreadableAnswer),
    "deep": (say(200, b"[" * 100_000), UnreadableAnswer),
    "large": (say(200, json.dumps(ANSWER).encode() + b" " * 1_500_000), UnreadableAnswer),
    "not gzip": (say(200, b"not gzip", Content_Encoding="gzip"), UnreadableAnswer),
    "redirect": (say(302, b"", Location="/elsewhere"), UnreadableAnswer),
    "html 401": (say(401, b"<html>who are you?</html>"), errors.ProviderDenied),
    "html 503": (say(503, b"<html>busy</html>"), ProviderUnavailable),
    "cut": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), ProviderUnavailable),
    "cut chunk": (raw(chunked(b"5\r\n{")), ProviderUnavailable),
    "bad chunk": (raw(chunked(b"zz\r\nleches\r\n")), ProviderUnavailable),
    "not HTTP": (raw(b"what is this\r\n\r\n"), ProviderUnavailable),
    "hung up": (raw(b""), ProviderUnavailable),
}


@pytest.mark.parametrize(("answer", "error"), BAD_ANSWERS.values(), ids=list(BAD_ANSWERS))
def test_bad_answers(server: Server, client: AiClient, answer: Answer, error: type[ProviderError]) -> None:
    """Whatever comes back, it is one of our errors, with the foreign one as its cause or none."""
    server.answers = [answer]
    assert type(fails(client, provider(server))) is error
    assert {seen.path for seen in server.seen} == {"/v1/chat/completions"}


def test_refused_port(client: AiClient, server: Server) -> None:
    """Nobody listens: unavailable."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        error = fails(client, replace(provider(server), base_url=url))
    assert type(error) is ProviderUnavailable
    assert error.usage is None


def test_ca_bundle_that_is_not_there(server: Server, client: AiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong REQUESTS_CA_BUNDLE is one of our errors, too: it fails this provider, not the message."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/gone.pem")
    secure = replace(provider(server), base_url=server.url.replace("http:", "https:"))
    assert type(fails(client, secure)) is ProviderUnavailable


@pytest.mark.parametrize("answer", [say(500, {}), say(503, {}, Retry_After="1"), raw(b""), say(429, {})])
def test_a_call_is_one_request(server: Server, client: AiClient, answer: Answer) -> None:
    """Another attempt is made by who pays for it, not here."""
    server.answers = [answer]
    fails(client, provider(server))
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("answer", "billed"),
    [(drip(b"", b""), True), (raw(b""), True), (say(503, {}), False), (say(429, {}), False), (say(401, {}), False)],
    ids=["too late", "hung up", "busy", "limited", "denied"],
)
def test_a_call_that_was_given_up_after_it_was_sent_is_estimated(
    server: Server, client: AiClient, answer: Answer, billed: bool
) -> None:
    """The model may write on to the end, and the bill says so; an error answer costs nothing."""
    server.answers = [answer]
    usage = fails(client, provider(server), within_s=0.3).usage
    most = Usage(estimate_tokens(REQUEST.text), 0, REQUEST.max_output_tokens)
    assert usage == (most if billed else None)


def test_an_error_in_an_answer_of_status_200(server: Server, client: AiClient) -> None:
    """OpenRouter's way: the code in the body is what counts."""
    for status, error in ((429, errors.ProviderRateLimited), (502, ProviderUnavailable), (401, errors.ProviderDenied)):
        server.answers = [say(200, {"error": {"code": status, "message": "no"}, "user_id": "x"})]
        assert type(fails(client, provider(server))) is error


def test_a_providers_sentence_is_told_without_key_and_words(server: Server, client: AiClient) -> None:
    """What a provider quotes back of the key or of the message is blotted out."""
    quoted = f"Bad value 'quiero dos leches' for key {KEY} and sk-proj-abc***def, use max_completion_tokens instead"
    server.answers = [say(400, {"error": {"message": quoted, "code": "unsupported_parameter"}})]
    told = fails(client, provider(server)).sentence
    assert "max_completion_tokens instead" in told
    assert not any(word in told for word in ("quiero", "leches", KEY, "sk-proj"))


def test_the_query_of_a_base_url_is_sent(server: Server, client: AiClient) -> None:
    """With the call and with the list of models."""
    azure = replace(provider(server), query="api-version=2026-01-01")
    client.call(azure, MODEL, REQUEST, time.monotonic() + 5)
    assert server.seen[0].path == "/v1/chat/completions?api-version=2026-01-01"

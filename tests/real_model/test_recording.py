"""The proxy before the model passes calls on, counts what they cost, and stalls when it is told to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from threading import Thread
from urllib.parse import urlsplit

import orjson
import pytest
import requests
from helpers.http_provider import Handler, Server, raw, say, serving

from real_model.recording import Recorder, recording
from worker.runtime.embedded.processes import wait_until

ANSWER = {
    "choices": [{"message": {"content": "hola"}}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 3},
}
BODY = {"messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}], "max_tokens": 7}


@pytest.fixture
def model() -> Iterator[Server]:
    """A server that answers everything."""
    with serving(say(200, ANSWER)) as server:
        yield server


@pytest.fixture
def recorder(model: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """A proxy before it; no proxy of this machine stands between."""
    monkeypatch.setenv("NO_PROXY", "*")
    with recording(model.url) as recorder:
        yield recorder


def post(recorder: Recorder) -> requests.Response:
    """One call."""
    return requests.post(f"{recorder.url}/v1/chat", json=BODY, headers={"Authorization": "Bearer k"}, timeout=10)


def hang_up_after_asking(recorder: Recorder) -> None:
    """A call whose caller does not wait."""
    parts = urlsplit(recorder.url)
    body = orjson.dumps(BODY)
    with closing(socket.create_connection((str(parts.hostname), parts.port or 0), timeout=10)) as connection:
        connection.sendall(b"POST /v1/chat HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


def wait_for_a_call(recorder: Recorder) -> None:
    """Until a call has come."""
    assert wait_until(lambda: bool(recorder.calls), 10)


def test_a_call_is_passed_on_and_counted(model: Server, recorder: Recorder) -> None:
    """The answer is the server's, the key goes with the call, and its tokens are taken down."""
    answer = post(recorder)
    assert (answer.status_code, answer.json()) == (200, ANSWER)
    assert (model.seen[0].path, model.seen[0].body) == ("/v1/chat", BODY)
    assert model.seen[0].headers["Authorization"] == "Bearer k"
    assert recorder.wait_until_idle(10)
    (call,) = recorder.calls
    assert (call.status, call.prompt_tokens, call.completion_tokens, call.text) == (200, 11, 3, "hola")
    assert (call.given_up, call.stalled, call.system, call.asked_chars) == (False, False, "be kind", 9)


def test_an_error_is_passed_on(model: Server, recorder: Recorder) -> None:
    """It costs nothing."""
    model.answers[:] = [say(500, {"error": {"code": "overloaded"}})]
    assert post(recorder).status_code == 500
    assert recorder.wait_until_idle(10)
    assert (recorder.calls[0].status, recorder.calls[0].prompt_tokens) == (500, 0)


def test_a_call_that_was_given_up_is_counted_to_its_end(model: Server, recorder: Recorder) -> None:
    """The server goes on without its caller, and so does the count."""

    def answer_when_the_caller_has_gone(handler: Handler) -> None:
        asking.join()
        say(200, ANSWER)(handler)

    model.answers[:] = [answer_when_the_caller_has_gone]
    asking = Thread(target=hang_up_after_asking, args=(recorder,))
    asking.start()
    wait_for_a_call(recorder)
    assert recorder.wait_until_idle(10)
    (call,) = recorder.calls
    assert (call.given_up, call.prompt_tokens, call.completion_tokens) == (True, 11, 3)


def test_a_server_that_ends_is_no_answer(model: Server, recorder: Recorder) -> None:
    """Nobody knows what the call has cost."""
    model.answers[:] = [raw(b"")]
    with pytest.raises(requests.ConnectionError):
        post(recorder)
    assert recorder.wait_until_idle(10)
    assert (recorder.calls[0].status, recorder.calls[0].given_up) == (0, True)


def test_a_stalling_proxy_never_answers(model: Server, recorder: Recorder) -> None:
    """The server does not see the call; it is over when its caller gives it up."""
    recorder.stalling.set()
    hang_up_after_asking(recorder)
    wait_for_a_call(recorder)
    assert recorder.wait_until_idle(10)
    assert (recorder.calls[0].stalled, recorder.calls[0].given_up, model.seen) == (True, True, [])
    recorder.stalling.clear()
    assert post(recorder).status_code == 200

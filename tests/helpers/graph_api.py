"""Simulator of WhatsApp's Graph API: a real HTTP server that refuses what Meta refuses, with Meta's codes."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

import requests

Json = dict[str, Any]
TOKEN, APP_SECRET, VERIFY_TOKEN = "EAAG-test-token", "app-secret-of-the-test", "verify-token-of-the-test"
PHONE_ID = "100000000000001"
PATH = re.compile(r"/v\d+\.\d+/(\d+)/messages")
BSUID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
#: HTTP status of Meta's codes; 400 for the others.
STATUSES = {190: 401, 10: 403, 131005: 403, 131056: 400, 130429: 429, 131000: 500, 131016: 503}


class Refusal(Exception):
    """Meta's no, with its code."""

    def __init__(self, code: int, details: str) -> None:
        super().__init__(details)
        self.code = code


@dataclass(slots=True)
class GraphApi:
    """Graph API of one business.

    Args:
        sent: messages taken, in their order, each with `wamid` and `from` (the number's id).
        closed: customers whose 24 hours are over.
        limited: by customer, how many more messages the pair limit refuses.
        failing: codes with which the next messages are refused, whoever they are for; 0: the connection is cut.
        asked: every message that came, by its customer, as `biz_opaque_callback_data`.
    """

    url: str = ""
    sent: list[Json] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    limited: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    failing: list[int] = field(default_factory=list)
    asked: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    lock: Lock = field(default_factory=Lock)

    def take(self, phone_id: str, authorization: str, message: Json) -> Json:
        """Takes a message, as Meta answers it. Raises Refusal."""
        with self.lock:
            if authorization.removeprefix("Bearer ") not in self.tokens:
                raise Refusal(190, "Invalid OAuth access token - Cannot parse access token")
            to = _recipient(message)
            self.asked[to].append(str(message.get("biz_opaque_callback_data")))
            if self.failing:
                raise Refusal(self.failing.pop(0), "as the test wants it")
            if phone_id != PHONE_ID:
                raise Refusal(100, "Unsupported post request. Object with this ID does not exist")
            _check(message)
            if self.limited[to] > 0:
                self.limited[to] -= 1
                raise Refusal(131056, "(Business Account, Consumer Account) pair rate limit hit")
            if to in self.closed:
                raise Refusal(131047, "Re-engagement message: more than 24 hours have passed")
            wamid = f"wamid.OUT{len(self.sent)}"
            self.sent.append(message | {"wamid": wamid, "from": phone_id, "to": to})
        contacts = [{"input": to, "wa_id": to}]
        return {"messaging_product": "whatsapp", "contacts": contacts, "messages": [{"id": wamid}]}

    def to(self, customer: str) -> list[Json]:
        """Messages that a customer got, in their order."""
        return [message for message in self.sent if message["to"] == customer]


def _recipient(message: Json) -> str:
    to = message.get("to") or message.get("recipient")
    if not isinstance(to, str) or bool(message.get("to")) == bool(message.get("recipient")):
        raise Refusal(100, "The parameter to is required.")
    if not (to.isdecimal() if message.get("to") else BSUID.fullmatch(to)):
        raise Refusal(131009, "Recipient is not a valid id")
    return to


def _check(message: Json) -> None:
    """Raises Refusal for a message that Meta's reference does not allow."""
    kind = message.get("type")
    content = message.get(str(kind))
    if message.get("messaging_product") != "whatsapp" or not isinstance(content, dict):
        raise Refusal(100, "Invalid parameter")
    if len(message.get("biz_opaque_callback_data", "")) > 512:
        raise Refusal(131009, "biz_opaque_callback_data is too long")
    if kind == "text":
        _length(content.get("body"), "text body", 4_096)
        return
    _require(kind == "interactive" and content.get("type") in ("button", "list"), "Unsupported type", 131051)
    _length(content.get("body", {}).get("text"), "interactive body", 1_024)
    checks = {"button": _check_buttons, "list": _check_list}
    checks[content["type"]](content.get("action", {}))


def _check_buttons(action: Json) -> None:
    buttons = action.get("buttons") or []
    _require(1 <= len(buttons) <= 3, "Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3")
    replies = [button["reply"] for button in buttons if button.get("type") == "reply"]
    _require(len(replies) == len(buttons), "Unexpected button type")
    for reply in replies:
        _length(reply.get("title"), "button title", 20)
        _length(reply.get("id"), "button id", 256)
    _unique([reply["title"] for reply in replies], "button title")
    _unique([reply["id"] for reply in replies], "button id")


def _check_list(action: Json) -> None:
    _length(action.get("button"), "list button", 20)
    sections = action.get("sections") or []
    rows = [row for section in sections for row in section["rows"]]
    _require(1 <= len(rows) <= 10, "Total row count exceed max allowed count: 10")
    _require(len(sections) == 1 or all(section.get("title") for section in sections), "Section title is required")
    for row in rows:
        _length(row.get("title"), "row title", 24)
        _length(row.get("id"), "row id", 200)
        if "description" in row:
            _length(row["description"], "row description", 72)
    _unique([row["id"] for row in rows], "row id")
    _unique([row["title"] for row in rows], "row title")


def _length(text: object, name: str, most: int) -> None:
    _require(isinstance(text, str) and len(text.strip()) > 0 and len(text) <= most, f"{name} length invalid")


def _unique(values: list[str], name: str) -> None:
    _require(len(set(values)) == len(values), f"Duplicated {name}")


def _require(holds: bool, details: str, code: int = 131009) -> None:
    if not holds:
        raise Refusal(code, details)


@contextmanager
def graph_api() -> Iterator[GraphApi]:
    """The API, served until the end of the block."""
    api = GraphApi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = PATH.fullmatch(self.path)
            try:
                answer = api.take(found[1] if found else "", self.headers.get("Authorization", ""), message)
                self.respond(200, answer)
            except Refusal as refusal:
                if refusal.code == 0:
                    self.close_connection = True
                    return
                error = {"message": f"(#{refusal.code})", "type": "OAuthException", "code": refusal.code}
                data = {"messaging_product": "whatsapp", "details": str(refusal)}
                self.respond(
                    STATUSES.get(refusal.code, 400), {"error": error | {"error_data": data, "fbtrace_id": "x"}}
                )

        def respond(self, status: int, body: Json) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is the library's
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_address[1]}/v26.0"
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def deliver(webhook_url: str, body: Json, secret: str = APP_SECRET) -> int:
    """Delivers a webhook body, signed as Meta does; the status that came back."""
    content = json.dumps(body).encode()
    signature = "sha256=" + hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": signature, "Content-Type": "application/json"}
    return requests.post(webhook_url, data=content, headers=headers, timeout=10).status_code


def body_of(**value: Any) -> Json:
    """A webhook body of one change. value: messages, contacts, statuses."""
    metadata = {"display_phone_number": "5491155500000", "phone_number_id": PHONE_ID}
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata} | value}
    return {"object": "whatsapp_business_account", "entry": [{"id": "200000000000001", "changes": [change]}]}


def status_of(message: Json, state: str, **more: Any) -> Json:
    """What Meta reports of a message that was sent."""
    named = {"id": message["wamid"], "recipient_id": message["to"], "status": state, "timestamp": "1764446400"}
    return named | {"biz_opaque_callback_data": message["biz_opaque_callback_data"]} | more

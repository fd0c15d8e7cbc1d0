"""The seed's flow written plainly, as the reference: one message per chain, every step with as few round trips as it
takes. It keeps none of Chasqui's promises: no inbox, no order, no second try, a reply lost with its worker.

The broker, the caches and the outbound stream are on CELERY_BROKER_URL, the tables on DATABASE_URL.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from uuid import uuid4

import orjson
import psycopg2
import redis
import requests
from celery import Celery, chain

from worker.redisdb.keys import OUTBOUND
from worker.settings import settings

Json = dict[str, Any]
SESSION_TTL_S: Final = 7_200
REPLY_TTL_S: Final = 86_400
HISTORY: Final = 6
TIMEOUT_S: Final = 15.0
MODEL: Final = "gpt-6-luna"
INSTRUCTIONS: Final = "You are the assistant of a supermarket. Answer with one JSON object."
LOAD = "select session_state, cart_data, context_data from plain.customer_sessions where customer_phone = %s"
SAVE = """
    insert into plain.customer_sessions (customer_phone, session_state, cart_data, context_data)
    values (%s, %s, %s, %s)
    on conflict (customer_phone) do update set session_state = excluded.session_state, cart_data = excluded.cart_data,
        context_data = excluded.context_data, updated_at = now(), expires_at = excluded.expires_at
"""
RECORD = "insert into plain.ai_metrics (customer_phone, source, intent, latency_ms) values (%s, %s, %s, %s)"
app = Celery("plain", set_as_current=False)


@lru_cache(maxsize=1)
def cache() -> redis.Redis:
    """The Redis of this process."""
    return redis.Redis.from_url(app.conf.broker_url)


@lru_cache(maxsize=1)
def database() -> Any:
    """The connection of this process; every statement commits by itself."""
    connection = psycopg2.connect(settings().required("database_url").replace("+psycopg2", ""))
    connection.autocommit = True
    return connection.cursor()


@lru_cache(maxsize=1)
def provider() -> requests.Session:
    """The HTTP connections of this process."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {settings().required('openai_api_key')}"
    return session


def reply_key(text: str) -> str:
    """Where the reply to a text is cached."""
    return f"ai_response:{hashlib.sha256(text.strip().lower().encode()).hexdigest()}"


@app.task  # type: ignore[untyped-decorator]  # celery ships no types
def fetch_session(message: Json) -> Json:
    """The session from the cache, else from PostgreSQL, else a new one."""
    phone = message["from"]
    if found := cache().get(f"session:{phone}"):
        return {"message": message, "session": orjson.loads(found)}
    database().execute(LOAD, (phone,))
    row: Sequence[Any] = database().fetchone() or ("browsing", [], {"history": []})
    return {"message": message, "session": dict(zip(("state", "cart", "context"), row, strict=True))}


@app.task  # type: ignore[untyped-decorator]  # celery ships no types
def route_ai(turn: Json) -> Json:
    """The decision from the reply cache, else from the model."""
    text = turn["message"]["text"]
    if found := cache().get(reply_key(text)):
        return turn | {"decision": orjson.loads(found), "source": "cache"}
    decision = asked(text)
    cache().set(reply_key(text), orjson.dumps(decision), ex=REPLY_TTL_S)
    return turn | {"decision": decision, "source": "ai"}


def asked(text: str) -> Json:
    """What the model decides."""
    user = orjson.dumps({"message": text}).decode()
    messages = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": user}]
    url = f"{settings().openai_base_url}/chat/completions"
    answer = provider().post(
        url, json={"model": MODEL, "messages": messages, "reasoning_effort": "none"}, timeout=TIMEOUT_S
    )
    answer.raise_for_status()
    return dict(orjson.loads(answer.json()["choices"][0]["message"]["content"]))


@app.task  # type: ignore[untyped-decorator]  # celery ships no types
def update_session(turn: Json) -> Json:
    """The session as the message leaves it, stored and cached, and the reply published."""
    phone, session, decision = turn["message"]["from"], turn["session"], turn["decision"]
    exchange = {"customer": turn["message"]["text"], "reply": decision["reply"]}
    session["context"]["history"] = [*session["context"].get("history", ()), exchange][-HISTORY:]
    cart, context = (orjson.dumps(session[name]).decode() for name in ("cart", "context"))
    database().execute(SAVE, (phone, session["state"], cart, context))
    pipeline = cache().pipeline(transaction=False)
    pipeline.set(f"session:{phone}", orjson.dumps(session), ex=SESSION_TTL_S)
    pipeline.xadd(OUTBOUND.pattern, {"payload": orjson.dumps(reply(turn))})
    pipeline.execute()
    return turn


def reply(turn: Mapping[str, Any]) -> Json:
    """The outbound entry."""
    decision = turn["decision"]
    return {
        "reply_id": str(uuid4()),
        "to": turn["message"]["from"],
        "in_reply_to": [turn["message"]["id"]],
        "text": decision["reply"],
        "quick_replies": decision["quick_replies"],
        "intent": decision["intent"],
        "requires_human": decision["requires_human"],
        "source": turn["source"],
    }


@app.task  # type: ignore[untyped-decorator]  # celery ships no types
def record_metrics(turn: Json) -> None:
    """What was answered from where, and how long it took."""
    latency_ms = round((time.time() - turn["message"]["sent_at_s"]) * 1_000)
    row = (turn["message"]["from"], turn["source"], turn["decision"]["intent"], latency_ms)
    database().execute(RECORD, row)


def plain_chain(message: Json) -> Any:
    """The chain for one message: {"id", "from", "text", "sent_at_s"}."""
    return chain(fetch_session.s(message), route_ai.s(), update_session.s(), record_metrics.s())

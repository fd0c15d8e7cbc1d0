"""The sub-path under which a proxy serves the dashboard, as it names it in `X-Forwarded-Prefix`."""

from __future__ import annotations

import re

from starlette.types import Scope

HEADER = b"x-forwarded-prefix"
#: Where the prefix is left for whoever writes an address into an answer: "" or a path such as "/chasqui".
PREFIX = "chasqui.prefix"
# Anybody can send the header, and it ends up in redirects and in addresses of scripts: what could mean another host
# ("//evil.example", "https:..."), another folder ("..") or something else than a path is no prefix.
_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
_MAX_CHARS = 200


def under_prefix(scope: Scope) -> Scope:
    """The request with its prefix under PREFIX and a path without it, whether the proxy has taken it off or not. A
    header that names no safe path is gone, so that NiceGUI, which believes it, does not see it.
    """
    headers = [(name, value) for name, value in scope["headers"] if name != HEADER]
    prefix = _prefix([value for name, value in scope["headers"] if name == HEADER])
    if not prefix:
        return {**scope, PREFIX: "", "headers": headers}
    headers.append((HEADER, prefix.encode()))
    paths = {name: _without(scope[name], prefix) for name in ("path", "raw_path") if scope.get(name)}
    return {**scope, PREFIX: prefix, "headers": headers, **paths}


def _prefix(given: list[bytes]) -> str:
    prefix = given[0].decode("latin-1").removesuffix("/") if len(given) == 1 else ""
    return prefix if len(prefix) <= _MAX_CHARS and _PATH.fullmatch(prefix) else ""


def _without(path: str | bytes, prefix: str) -> str | bytes:
    if isinstance(path, bytes):
        return path.removeprefix(prefix.encode()) if path.startswith(f"{prefix}/".encode()) else path
    return path.removeprefix(prefix) if path.startswith(f"{prefix}/") else path

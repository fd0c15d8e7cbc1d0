"""The file of providers for the trial: one server of a name of its own, with a key variable of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

NAME: Final = "local-model"
KEY_VARIABLE: Final = "OPENAI_API_KEY"
#: How JSON is asked for: by a schema that the server turns into a grammar, or by nothing but the prompt.
Json = Literal["object_schema", "words"]
CONNECT_TIMEOUT_S: Final = 3.0
FORM: Final = """\
[[provider]]
name = "{name}"
model = "smollm2"
wire = "openai"
base_url = "{url}/v1"
api_key = "{key_variable}"
complexities = ["simple", "medium", "complex"]
connect_timeout_s = {connect_timeout_s}
timeout_s = {timeout_s}
prices = {{ input_usd = 1.0, cached_input_usd = 0.5, output_usd = 2.0 }}
"""


def write_providers(file: Path, url: str, json: Json, timeout_s: float) -> Path:
    """Writes the file. url: of the server, without a path; timeout_s: of a call."""
    text = FORM.format(
        name=NAME,
        url=url,
        json=json,
        key_variable=KEY_VARIABLE,
        connect_timeout_s=CONNECT_TIMEOUT_S,
        timeout_s=timeout_s,
    )
    file.write_text(text, "utf-8")
    return file

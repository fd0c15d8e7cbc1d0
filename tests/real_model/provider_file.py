"""The file of providers for the trial: one server of a name of its own, with a key variable of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

#: Neither is known to the service or to the packaged file.
NAME, KEY_VARIABLE = "local-model", "LOCAL_MODEL_KEY"
#: How JSON is asked for: by a schema that the server turns into a grammar, or by the instructions alone.
Json = Literal["object_schema", "words"]
FORM: Final = """\
[[provider]]
name = "{name}"
wire = "openai"
base_url = "{url}/v1"
api_key = "{key_variable}"
complexities = ["simple", "medium", "complex"]
connect_timeout_s = 3.0
timeout_s = {timeout_s}

[[provider.model]]
id = "smollm2"
output_limit = "max_tokens"
json = "{json}"
request = {{ temperature = 0.2, repeat_penalty = 1.1 }}

[[provider.model.price]]
input_usd = 1.0
cached_input_usd = 0.1
output_usd = 2.0
"""


def write_providers(file: Path, url: str, json: Json, timeout_s: float) -> Path:
    """Writes the file. url: of the server, without a path; timeout_s: of a call."""
    file.write_text(FORM.format(name=NAME, url=url, json=json, key_variable=KEY_VARIABLE, timeout_s=timeout_s), "utf-8")
    return file

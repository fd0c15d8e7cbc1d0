"""What a scrape brought, as tests like to ask for it, and the programs that check it."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is absent")
needs_prometheus = pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of the exporter."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        """The text, decoded."""
        return orjson.loads(self.text)

    @property
    def metrics(self) -> Scraped:
        """The text as metrics."""
        return Scraped.of(text_string_to_metric_families(self.text))


@dataclass(frozen=True, slots=True)
class Scraped:
    """Samples by name and labels."""

    values: dict[tuple[str, frozenset[tuple[str, str]]], float]

    @classmethod
    def of(cls, families: Iterable[Metric]) -> Scraped:
        """All samples of these families; each may be there once."""
        samples = [sample for family in families for sample in family.samples]
        values = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
        assert len(values) == len(samples)
        return cls(values)

    def value(self, name: str, **labels: str) -> float:
        """The sample with exactly these labels; KeyError where there is none."""
        return self.values[f"chasqui_{name}", frozenset(labels.items())]

    def all(self, name: str) -> dict[tuple[str, ...], float]:
        """Values of one name by the values of its labels, in the labels' alphabetical order."""
        found = [
            (sorted(labels), value) for (known, labels), value in self.values.items() if known == f"chasqui_{name}"
        ]
        return {tuple(text for _, text in labels): value for labels, value in found}

    def names(self) -> set[str]:
        """Names of samples, without the prefix."""
        return {name.removeprefix("chasqui_") for name, _ in self.values}


def get(port: int, path: str, method: str = "GET") -> Page:
    """A page of the exporter on this port, whatever its status."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as answer:
            return Page(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Page(error.code, error.read().decode())

"""Metric families for Prometheus, filled with samples: gauges, counters, histograms."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from worker.units import usd

#: One value without labels, or values by that of their one label, or by the tuple of those of several.
Samples = float | Mapping[Any, float]


def gauge(name: str, told: str, samples: Samples, *labels: str) -> Metric:
    """Returns a family of gauges."""
    return _filled(GaugeMetricFamily(f"chasqui_{name}", told, labels=labels), samples)


def counter(name: str, told: str, samples: Samples, *labels: str) -> Metric:
    """Returns a family of counters; the library adds `_total` to the name."""
    return _filled(CounterMetricFamily(f"chasqui_{name}", told, labels=labels), samples)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, samples: Samples) -> Metric:
    for labels, value in samples.items() if isinstance(samples, Mapping) else [((), samples)]:
        family.add_metric([labels] if isinstance(labels, str) else labels, value)
    return family


def histogram(
    name: str, told: str, bounds_ms: Sequence[int], times: Mapping[str, tuple[Sequence[int], int]], label: str
) -> Metric:
    """Returns a family of histograms in seconds.

    Args:
        times: by the label's value, how many lie in each bucket and beyond the last, and their sum in milliseconds.
    """
    family = HistogramMetricFamily(f"chasqui_{name}", told, labels=[label])
    bounds = [*(str(bound / 1000) for bound in bounds_ms), "+Inf"]
    for value, (numbers, sum_ms) in times.items():
        family.add_metric([value], list(zip(bounds, accumulate(numbers), strict=True)), sum_ms / 1000)
    return family


def dollars(sums: Mapping[Any, int]) -> dict[Any, float]:
    """Returns sums of micro-dollars as dollars."""
    return {labels: usd(amount) for labels, amount in sums.items()}

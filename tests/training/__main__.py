"""`make train`: learns intent and complexity from labelled lines; writes the weights and a report beside them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import msgspec
from helpers.basics import REPOSITORY

from training.fitting import Accuracy, accuracy, cross_validated, fit
from training.lines import Example, digest, examples, measured_lines, our_lines, read_lines, shares
from worker.language.classifier import WEIGHTS, Classifier, Weights

REPORT: Final = WEIGHTS.with_name("classifier.toml")
SEED: Final = 1


@click.command()
@click.option("--lines", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Lines of your own.")
@click.option("--seed", default=SEED, show_default=True)
@click.option("--report/--no-report", default=True, help="Measure on lines that were not learned, some minutes.")
def main(lines: Path | None, seed: int, report: bool) -> None:
    """Learn from labelled lines."""
    ours, tested = our_lines(), measured_lines()
    every = [*ours, *tested, *(read_lines(lines) if lines else [])]
    learned = examples(every, seed)
    expected = shares(tested)
    weights = fit(learned, expected, seed, digest(every))
    WEIGHTS.write_bytes(msgspec.msgpack.encode(weights))
    click.echo(f"{WEIGHTS.relative_to(REPOSITORY)}: {len(every)} lines, {len(learned)} messages")
    if report:
        ranges = {"our lines": range(len(ours)), "measured lines": range(len(ours), len(ours) + len(tested))}
        unseen = {name: cross_validated(learned, expected, judged, seed) for name, judged in ranges.items()}
        REPORT.write_text(_report(weights, learned, unseen), "utf-8")
        click.echo(REPORT.read_text("utf-8"))


def _report(weights: Weights, learned: Sequence[Example], unseen: dict[str, Accuracy]) -> str:
    """The report, in TOML."""
    classifier = Classifier(weights)
    figures = {"learned": accuracy(classifier, learned), **unseen}
    lines = [
        "# Written by `make train`. Accuracy: the share of messages that are right; but for the first, of messages of",
        "# lines that were not learned when they were judged (in 3 parts).",
        f"seed = {weights.seed}",
        f"messages = {len(learned)}",
        f"classes = {len(weights.classes)}",
        f"features = {weights.features.count(chr(10)) + 1}",
        f"bytes = {WEIGHTS.stat().st_size}",
        f"us_a_line = {_us_a_line(classifier, learned):.0f}",
        "",
    ]
    for name, result in figures.items():
        lines.append(f"[{name.replace(' ', '_')}]")
        lines.append(f"intent = {result.intent:.3f}\ncomplexity = {result.complexity:.3f}\n")
    return "\n".join(lines)


def _us_a_line(classifier: Classifier, learned: Sequence[Example]) -> float:
    """Processor time for one message, in microseconds."""
    began_s = time.process_time()
    for example in learned:
        classifier.kind_of(example.plain)
    return (time.process_time() - began_s) / len(learned) * 1e6


if __name__ == "__main__":
    main()

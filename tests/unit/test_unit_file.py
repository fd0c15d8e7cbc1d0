"""The systemd unit in docs/deploy.md: what systemd would do with it while servers are away for an hour."""

from __future__ import annotations

import re
from configparser import ConfigParser

import pytest
from helpers.basics import REPOSITORY

from worker.runtime.supervisor import DRAIN_S

DOCUMENT = (REPOSITORY / "docs" / "deploy.md").read_text("utf-8")
#: systemd's own, where a unit says nothing (systemd.service(5), systemd.unit(5), systemd-system.conf(5)), in seconds.
DEFAULTS = {"RestartSec": "100ms", "StartLimitIntervalSec": "10s", "StartLimitBurst": "5"}
HOUR_S = 3_600.0


def unit() -> ConfigParser:
    """The unit as printed."""
    printed = re.findall(r"^```ini\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their capitals
    parser.read_string(next(text for text in printed if "ExecStart" in text))
    return parser


def seconds(span: str) -> float:
    """A span of time as systemd reads it; a number alone counts seconds."""
    units = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": HOUR_S, "": 1.0}
    found = re.fullmatch(r"(\d+)(ms|s|min|h|)", span)
    assert found, span
    return int(found[1]) * units[found[2]]


def starts_before_giving_up(parser: ConfigParser, lives_s: float, within_s: float) -> int | None:
    """How many starts systemd makes of a program that ends after `lives_s` each time, before it gives up within this
    time; None where it does not. It refuses a start when there have been `burst` of them in the last `interval`.
    """

    def value(section: str, name: str) -> str:
        return parser.get(section, name, fallback=DEFAULTS[name])

    pause_s = seconds(value("Service", "RestartSec"))
    interval_s, burst = seconds(value("Unit", "StartLimitIntervalSec")), int(value("Unit", "StartLimitBurst"))
    starts: list[float] = []
    now_s = 0.0
    while now_s < within_s:
        if interval_s and sum(now_s - start < interval_s for start in starts) >= burst:
            return len(starts)
        starts.append(now_s)
        now_s += lives_s + pause_s
    return None


@pytest.mark.parametrize("lives_s", [0.0, 0.3, 1.0, 5.0, 60.0])
def test_it_is_started_again_for_an_hour_and_longer(lives_s: float) -> None:
    """However fast it ends; without a word about limits systemd would give up after five."""
    assert unit()["Service"]["Restart"] == "always"
    assert starts_before_giving_up(unit(), lives_s, 24 * HOUR_S) is None


def test_what_is_calculated_is_what_systemd_does() -> None:
    """The unit without its limits is given up at once."""
    parser = unit()
    parser.remove_option("Unit", "StartLimitIntervalSec")
    parser.remove_option("Service", "RestartSec")
    assert starts_before_giving_up(parser, 0.3, HOUR_S) == 5


def test_it_does_not_start_in_a_tight_loop() -> None:
    """A setting that is wrong is told a few times a minute, not ten times a second."""
    assert seconds(unit()["Service"]["RestartSec"]) >= 2


def test_it_has_time_to_end() -> None:
    """The children get their time, and the embedded servers theirs."""
    assert seconds(unit()["Service"]["TimeoutStopSec"]) > DRAIN_S + 10
    assert unit()["Service"]["KillMode"] == "mixed"

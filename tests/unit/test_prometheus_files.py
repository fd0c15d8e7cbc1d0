"""Alerts, dashboard and document: they speak of metrics that exist, and belong together."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import combinations
from typing import Any

import pytest
from helpers import yaml_text
from helpers.basics import GUARD_S, REPOSITORY
from helpers.scraped import needs_promtool
from prometheus_client import CollectorRegistry, generate_latest
from test_documents import read, slug, table
from test_prometheus import SNAPSHOT, Told, families, told

from worker.settings import Settings

MONITORING = REPOSITORY / "monitoring"
ALERTS: list[dict[str, Any]] = yaml_text.load((MONITORING / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
CASES: list[dict[str, Any]] = yaml_text.load((MONITORING / "alerts_test.yml").read_text("utf-8"))["tests"]
DASHBOARD: dict[str, Any] = json.loads((MONITORING / "grafana" / "chasqui.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES: list[str] = [target["expr"] for panel in PANELS for target in panel["targets"]]
NAME = re.compile(r"\bchasqui_\w+")


def promtool(*arguments: str) -> None:
    """Runs promtool beside the files; fails with what it says."""
    done = subprocess.run(
        ["promtool", *arguments], cwd=MONITORING, capture_output=True, text=True, timeout=GUARD_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_the_rules_and_the_configuration_are_valid() -> None:
    """As Prometheus reads them."""
    promtool("check", "rules", "alerts.yml")
    promtool("check", "config", "prometheus.yml")


@needs_promtool
def test_every_alert_fires_where_it_must() -> None:
    """And is silent just before."""
    promtool("test", "rules", "alerts_test.yml")


def test_every_alert_has_cases() -> None:
    """One where it fires, and one where it does not."""
    cases = [case for test in CASES for case in test["alert_rule_test"]]
    names = {alert["alert"] for alert in ALERTS}
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == names


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_every_alert_says_what_to_do(alert: dict[str, Any]) -> None:
    """A section with its meaning, what to look at, and what to do, where its link leads."""
    document = read("docs/monitoring.md")
    section = document.partition(f"\n### {alert['alert']}\n")[2].partition("\n### ")[0]
    assert re.search(r"^Look\b", section, re.MULTILINE)
    assert re.search(r"^(Look and do|Do):", section, re.MULTILINE)
    assert alert["annotations"]["runbook_url"] == f"docs/monitoring.md#{slug(alert['alert'])}"
    assert alert["annotations"]["summary"]
    assert alert["labels"]["severity"] in ("critical", "warning")


def test_no_section_is_about_an_alert_that_is_gone() -> None:
    """In the order of the rules' file nothing is missing and nothing is left over."""
    sections = re.findall(r"^### (Chasqui\w+)$", read("docs/monitoring.md"), re.MULTILINE)
    assert sections == [alert["alert"] for alert in ALERTS]


@pytest.mark.parametrize("expression", [*(alert["expr"] for alert in ALERTS), *QUERIES])
def test_expressions_speak_of_metrics_that_exist(expression: str) -> None:
    """Under the very name of a sample, with labels that it has."""
    names = {f"chasqui_{name}" for name in told(SNAPSHOT).names()}
    used = set(NAME.findall(expression))
    assert used or expression.startswith("up{")
    assert used <= names


def test_the_table_of_metrics_is_complete() -> None:
    """Every family is explained, with all its labels, and nothing else is."""
    described = {
        name: set(re.findall(r"`(\w+)`", cells[1]))
        for cells in table("docs/monitoring.md", "metric")
        for name in NAME.findall(cells[0])
    }
    exported = {
        family.name + "_total" * (family.type == "counter"): {label for s in family.samples for label in s.labels}
        - {"le"}
        for family in families(SNAPSHOT)
    }
    assert described == exported


def test_the_panels_of_the_dashboard_fit() -> None:
    """Ids and titles are used once, no panel covers another, each has a query and says what it shows."""
    every = DASHBOARD["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    assert len({panel["title"] for panel in every}) == len(every)
    for one, other in combinations([panel["gridPos"] for panel in every], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    assert all(panel["targets"] and panel["description"] for panel in PANELS)
    assert {panel["type"] for panel in PANELS} == {"stat", "timeseries"}
    assert DASHBOARD["schemaVersion"] >= 38


def test_the_dashboard_asks_whichever_prometheus_is_chosen() -> None:
    """No data source of some other Grafana is named."""
    (variable,) = DASHBOARD["templating"]["list"]
    source = {"type": "prometheus", "uid": f"${{{variable['name']}}}"}
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    assert all(panel["datasource"] == source for panel in PANELS)
    assert all(target["datasource"] == source for panel in PANELS for target in panel["targets"])


def test_the_scrape_job_is_the_one_of_the_alerts_and_the_port_of_the_settings() -> None:
    """Whoever takes the files as they are gets what they promise."""
    (job,) = yaml_text.load((MONITORING / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    defaults = {name: Settings.model_fields[name].default for name in ("metrics_host", "metrics_port")}
    assert job["static_configs"] == [{"targets": ["{metrics_host}:{metrics_port}".format(**defaults)]}]
    assert any(f'up{{job="{job["job_name"]}"}}' in alert["expr"] for alert in ALERTS)


@needs_promtool
def test_promtool_finds_nothing_to_mend_in_the_metrics() -> None:
    """Names, units, types and help texts are as Prometheus wants them."""
    registry = CollectorRegistry()
    registry.register(Told())
    text = generate_latest(registry)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, timeout=GUARD_S, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

"""Exporter of metrics for Prometheus."""

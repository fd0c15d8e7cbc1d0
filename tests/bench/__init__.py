"""Benchmarks and the workloads that they play."""

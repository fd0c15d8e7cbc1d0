"""Failover trial: servers of which another takes over, broken under load."""

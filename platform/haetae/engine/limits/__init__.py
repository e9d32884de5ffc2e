"""How hard an endpoint is asked: calls at once, calls a minute, quotas, waits."""

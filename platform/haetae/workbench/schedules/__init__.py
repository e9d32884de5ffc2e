"""Schedules: whose turn it is, what is due of a suite, the night that is run, and suites that nobody serves."""

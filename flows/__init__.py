"""Prefect flows, thin: they ask the workbench and say its verdict in Prefect's words."""

"""Where it stays: the ledger and the registry as SQL tables, on SQLite and Postgres."""

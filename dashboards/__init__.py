"""The dashboard: what the ledger holds, for people; it only reads."""

"""The migrations of the ledger's schema: Alembic's, run from the installed package without a file of settings.

A new revision is a module in `versions`, and its name stands in `haetae.store.schema.SCHEMA`.
"""

VERSION_TABLE = "haetae_version"
"""Where the revision is kept: not Alembic's default, so that trackers may share the database."""

"""Plain score files instead of a ledger: the gate, the monitor and the judge's doors on them."""

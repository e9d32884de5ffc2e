"""How long an endpoint is asked: attempts, deadlines, hedging, a breaker, and the end of a run."""

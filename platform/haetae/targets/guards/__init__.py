"""Guards: a cascade of validators, and what its stages are made of."""

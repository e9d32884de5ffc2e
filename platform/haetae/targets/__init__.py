"""Who answers: an endpoint, a Python function, recorded outputs."""

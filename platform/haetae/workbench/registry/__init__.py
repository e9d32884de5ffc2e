"""The registry at work: promotion through gates; versions and aliases here and in MLflow follow each other."""

"""Who is told: MLflow and W&B, fed from the outbox."""

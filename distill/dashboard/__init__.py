"""What is shown in wandb, and read back from it, beyond single runs."""

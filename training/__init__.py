"""The optimisation loop that pretraining and fine-tuning share: checkpoints, resume, loggers."""

"""Published weights as word-grounding models."""

"""What a child attends to and does."""

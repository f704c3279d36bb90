"""What a policy predicts and does, drawn for TensorBoard."""

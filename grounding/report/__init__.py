"""Reports of evaluations: tables, figures, TensorBoard."""

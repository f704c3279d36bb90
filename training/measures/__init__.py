"""What a policy has learned, beside references that have learned nothing."""

"""A child's days at home through its head camera, and what is said meanwhile."""

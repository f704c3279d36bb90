"""Policies on disk, ours and those that others published."""

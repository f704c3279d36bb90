"""Demonstrations by experts, recorded and replayed."""

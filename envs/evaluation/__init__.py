"""Rollouts of policies: single tasks and chains, their records and what they add up to."""

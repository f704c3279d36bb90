"""Scripted experts that solve the tasks through the public actions."""

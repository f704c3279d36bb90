"""Frames of video files at given times."""

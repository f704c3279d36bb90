"""Readers (and one writer) of the formats that data comes in."""

"""Corpora that are drawn: the nursery for pretraining, a home for words."""

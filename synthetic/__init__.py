"""Corpora that are drawn: a person's hands for pretraining, a home for words."""

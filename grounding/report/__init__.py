"""What a word-grounding model has learned, drawn for people to look at."""

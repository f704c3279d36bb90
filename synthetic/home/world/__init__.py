"""What a home consists of: rooms, furniture, things, and their nouns."""

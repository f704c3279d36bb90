"""Instructions for each task: training, and paraphrases with unseen verbs."""

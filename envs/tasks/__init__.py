"""The 34 tasks: success conditions, initial states, instructions, chains."""

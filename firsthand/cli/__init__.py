"""The command line: words to settings, run directories, messages."""

"""The home's test sets, in SAYCam-S's folders and trial files."""

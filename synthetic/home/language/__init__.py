"""What a caregiver says."""

"""Acting in the closed loop: what is remembered, which action is due, faster arithmetic."""

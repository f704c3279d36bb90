"""Whether two ways of representing the same things agree, measured in several ways."""

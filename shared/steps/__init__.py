"""What the three stories have in common, with its side effects."""

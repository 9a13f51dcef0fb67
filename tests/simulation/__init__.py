"""Days of work on a simulated clock."""

"""What the ends of tasks are taken for: outcomes, costs, lines of logs."""

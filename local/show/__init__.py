"""What the commands show: pure texts, and the two displays of `run`, for terminals and for everything else."""

"""What a node does for a task: its directories, files from storage, processes, files to storage."""

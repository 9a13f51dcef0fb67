"""The script that runs a task's commands."""

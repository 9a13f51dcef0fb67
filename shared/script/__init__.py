"""The shell script that a task runs, and what it reports back."""

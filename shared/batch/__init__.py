"""Azure Batch: jobs, tasks, pools, errors."""

"""The app's logger: one for all modules, so that one filter masks whatever goes through it."""

from __future__ import annotations

import logging

log = logging.getLogger("azure_batch_task_runner")

"""The words for where runs and tasks are, whose fault a failure is, and why something waits or is done again."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """States of runs and tasks, in Kestra's words."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    FAILED = "FAILED"
    KILLED = "KILLED"
    REJECTED = "REJECTED"
    SKIPPED = "SKIPPED"


class FailureCategory(StrEnum):
    """Whose fault a failure is, and so who has to act."""

    USER = "user"
    INFRASTRUCTURE = "infrastructure"
    INTERNAL = "internal"


class WaitReason(StrEnum):
    """Why a run waits: for Batch to take it (the quota of active jobs, or Batch is busy), or for nodes of its pool."""

    QUOTA = "quota"
    BUSY = "busy"
    POOL = "pool"


class JobReason(StrEnum):
    """Why a round needed a job of its own."""

    FIRST = "first"
    VALUES = "values"
    FAN_OUT = "fan-out"
    POOL = "pool"
    INFRASTRUCTURE = "infrastructure"

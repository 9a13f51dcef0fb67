"""The states of runs and tasks, the categories of failures, and the reasons for waiting and for further rounds."""

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
    """Who caused a failure, and therefore has to act."""

    USER = "user"
    INFRASTRUCTURE = "infrastructure"
    INTERNAL = "internal"


class WaitReason(StrEnum):
    """Why a run waits: for the quota of active jobs, because Batch is busy, or for nodes of its pool."""

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

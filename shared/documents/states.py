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
    """Why a run waits: for the quota of active jobs, because Batch is busy, for nodes, or for runs of its flow."""

    QUOTA = "quota"
    BUSY = "busy"
    POOL = "pool"
    FLOW = "flow"


class SkippedBy(StrEnum):
    """Why a task did not run: what `errors` has may have no failure to run for."""

    CONDITION = "condition"
    NO_FAILURE = "noFailure"
    FAILURE = "failure"
    CANCELLED = "cancelled"

    @property
    def words(self) -> str:
        """The reason for people."""
        return _WHY[self]

    @property
    def is_as_written(self) -> bool:
        """Whether the flow says that it does not run, so that it is as good as done."""
        return self in (SkippedBy.CONDITION, SkippedBy.NO_FAILURE)


_WHY = {
    SkippedBy.CONDITION: "left out by its condition",
    SkippedBy.NO_FAILURE: "nothing failed that it is there for",
    SkippedBy.FAILURE: "a task before it did not end well",
    SkippedBy.CANCELLED: "the run was cancelled",
}


class Phase(StrEnum):
    """The parts of a flow, in the order in which they run; each by the name of the property that has its tasks."""

    TASKS = "tasks"
    ERRORS = "errors"
    FINALLY = "finally"
    AFTER_EXECUTION = "afterExecution"

    def is_up_to(self, last: Phase) -> bool:
        """Whether it is another phase, or one before it."""
        order = list(Phase)
        return order.index(self) <= order.index(last)

    @property
    def following(self) -> Phase:
        """The phase after it; of the last one, itself."""
        return next((phase for phase in Phase if not phase.is_up_to(self)), self)


class JobReason(StrEnum):
    """Why a round needed a job of its own."""

    FIRST = "first"
    VALUES = "values"
    FAN_OUT = "fan-out"
    ENDS = "ends"
    POOL = "pool"
    INFRASTRUCTURE = "infrastructure"


class FailureCode(StrEnum):
    """Why a run or a task failed: what the app itself writes as the `code` of a failure. Add members, never rename one.

    Other codes in a record are error codes of Azure Batch, taken over as they are (`unknown` where it gives none).
    """

    COMMANDS_FAILED = "CommandsFailed"
    TIME_LIMIT_EXCEEDED = "TimeLimitExceeded"
    FLOW_TIMEOUT = "FlowTimeout"
    WORKING_DIRECTORY_NOT_WRITABLE = "WorkingDirectoryNotWritable"
    TMP_NOT_WRITABLE = "TmpNotWritable"
    INPUT_FILE_MISSING = "InputFileMissing"
    NO_ROOM_FOR_INPUTS = "NoRoomForInputs"
    PROGRAM_MISSING = "ProgramMissing"
    INVALID_EXPRESSION = "InvalidExpression"
    FAIL_TASK = "FailTask"
    ASSERTION_FAILED = "AssertionFailed"
    DEPENDENCIES_NOT_INSTALLED = "DependenciesNotInstalled"
    TAR_MISSING = "TarMissing"
    DIRECTORY_NOT_PASSED_ON = "DirectoryNotPassedOn"
    INVALID_MANIFEST = "InvalidManifest"
    CANNOT_PLAN = "CannotPlan"
    TOO_MANY_ATTEMPTS = "TooManyAttempts"
    CONCURRENCY_LIMIT = "ConcurrencyLimit"
    OUTPUTS_NOT_RENDERED = "OutputsNotRendered"
    ENDED_BY_HAND = "EndedByHand"
    NO_RESULT = "NoResult"
    NOT_RECORDED = "NotRecorded"

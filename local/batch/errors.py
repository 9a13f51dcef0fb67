"""Every error that the service answers, with its HTTP status and message, in one place.

Codes, statuses and messages are the service's own:
https://learn.microsoft.com/rest/api/batchservice/batch-status-and-error-codes
"""

from __future__ import annotations

from enum import Enum


class ErrorCode(Enum):
    """A code of the service: (code, HTTP status, message)."""

    ACTIVE_JOB_AND_SCHEDULE_QUOTA_REACHED = (
        "ActiveJobAndScheduleQuotaReached",
        409,
        "Active job and schedule quota for the account has been reached.",
    )
    APPLICATION_NOT_FOUND = ("ApplicationNotFound", 404, "The specified application does not exist.")
    AUTHENTICATION_FAILED = (
        "AuthenticationFailed",
        403,
        (
            "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly"
            " including the signature."
        ),
    )
    AUTHENTICATION_MISSING = (
        "AuthenticationFailed",
        401,
        (
            "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly"
            " including the signature."
        ),
    )
    AUTO_SCALING_FORMULA_SYNTAX_ERROR = (
        "AutoScalingFormulaSyntaxError",
        400,
        "The specified auto-scaling formula has a syntax error.",
    )
    AUTO_SCALING_FORMULA_TOO_LONG = (
        "AutoScalingFormulaTooLong",
        400,
        "The specified auto-scaling formula exceeds lengths limit.",
    )
    CONDITION_NOT_MET = (
        "ConditionNotMet",
        412,
        "The condition specified in the conditional header(s) was not met for a write operation.",
    )
    CONDITION_NOT_MET_ON_READ = (
        "ConditionNotMet",
        304,
        "The condition specified in the conditional header(s) was not met for a read operation.",
    )
    EMPTY_METADATA_KEY = ("EmptyMetadataKey", 400, "The key for one of the metadata key-value pairs is empty.")
    FILE_NOT_FOUND = ("FileNotFound", 404, "The specified file does not exist.")
    INTERNAL_ERROR = ("InternalError", 500, "The server encountered an internal error. Please retry the request.")
    INVALID_APPLICATION_PACKAGE_REFERENCES = (
        "InvalidApplicationPackageReferences",
        409,
        (
            "One or more application package references could not be satisfied. This occurs if the application id or"
            " version does not exist or is not active, or if the reference did not specify a version and there is no"
            " default version configured."
        ),
    )
    INVALID_HEADER_VALUE = (
        "InvalidHeaderValue",
        400,
        "The value provided for one of the HTTP headers was not in the correct format.",
    )
    INVALID_HTTP_VERB = ("InvalidHttpVerb", 400, "The HTTP verb specified was not recognized by the server.")
    INVALID_PROPERTY_VALUE = (
        "InvalidPropertyValue",
        400,
        "The value provided for one of the properties in the request body is invalid.",
    )
    INVALID_QUERY_PARAMETER_VALUE = (
        "InvalidQueryParameterValue",
        400,
        "Value for one of the query parameters specified in the request URI is invalid.",
    )
    INVALID_RANGE = (
        "InvalidRange",
        416,
        "The range specified is invalid for the current size of the resource.",
    )
    INVALID_REQUEST_BODY = ("InvalidRequestBody", 400, "The specified Request Body is not syntactically valid.")
    INVALID_URI = ("InvalidUri", 400, "The requested URI does not represent any resource on the server.")
    IO_ERROR = ("IOError", 403, "An I/O error occurred when accessing the specified resource.")
    JOB_BEING_DELETED = (
        "JobBeingDeleted",
        409,
        "The specified job has been marked for deletion and is being garbage collected.",
    )
    JOB_BEING_TERMINATED = ("JobBeingTerminated", 409, "The specified job is being terminated.")
    JOB_COMPLETED = ("JobCompleted", 409, "The specified job is already in a completed state.")
    JOB_DISABLED = ("JobDisabled", 409, "The specified job is disabled.")
    JOB_EXISTS = ("JobExists", 409, "The specified job already exists.")
    JOB_NOT_FOUND = ("JobNotFound", 404, "The specified job does not exist.")
    JOB_PREPARATION_TASK_NOT_SPECIFIED = (
        "JobPreparationTaskNotSpecified",
        409,
        "The specified job does not have job preparation task.",
    )
    JOB_SCHEDULE_BEING_DELETED = (
        "JobScheduleBeingDeleted",
        409,
        "The specified job schedule has been marked for deletion and is being reclaimed.",
    )
    JOB_SCHEDULE_BEING_TERMINATED = (
        "JobScheduleBeingTerminated",
        409,
        "The specified job schedule is being terminated.",
    )
    JOB_SCHEDULE_COMPLETED = (
        "JobScheduleCompleted",
        409,
        "The specified job schedule is already in completed state.",
    )
    JOB_SCHEDULE_EXISTS = ("JobScheduleExists", 409, "The specified job schedule already exists.")
    JOB_SCHEDULE_NOT_FOUND = ("JobScheduleNotFound", 404, "The specified job schedule does not exist.")
    JOB_SCHEDULE_WITH_SAME_ID_EXISTS = (
        "JobScheduleWithSameIdExists",
        409,
        "A job schedule with the specified job id exists. Job and job schedule cannot have the same id.",
    )
    JOB_WITH_SAME_ID_EXISTS = (
        "JobWithSameIdExists",
        409,
        "A job with the specified job schedule id exists. Job and job schedule cannot have the same id.",
    )
    MISSING_CONTENT_LENGTH_HEADER = (
        "MissingContentLengthHeader",
        411,
        "The Content-Length header was not specified.",
    )
    MISSING_REQUIRED_PROPERTY = (
        "MissingRequiredProperty",
        400,
        "A required property was not specified in the request body.",
    )
    MISSING_REQUIRED_QUERY_PARAMETER = (
        "MissingRequiredQueryParameter",
        400,
        "A required query parameter was not specified for this request.",
    )
    MULTIPLE_CONDITION_HEADERS_NOT_SUPPORTED = (
        "MultipleConditionHeadersNotSupported",
        400,
        "Multiple condition headers are not supported.",
    )
    NODE_ALREADY_IN_TARGET_SCHEDULING_STATE = (
        "NodeAlreadyInTargetSchedulingState",
        409,
        "The specified node is already in the target scheduling state.",
    )
    NODE_BEING_CREATED = ("NodeBeingCreated", 409, "The specified node is being created.")
    NODE_BEING_REBOOTED = ("NodeBeingRebooted", 409, "The specified node is being rebooted.")
    NODE_BEING_REIMAGED = ("NodeBeingReimaged", 409, "The specified node is being reimaged.")
    NODE_BEING_STARTED = ("NodeBeingStarted", 409, "The specified node is being started.")
    NODE_NOT_FOUND = ("NodeNotFound", 404, "The specified node does not exist.")
    NODE_STATE_UNUSABLE = ("NodeStateUnusable", 409, "The state of the specified node is unusable.")
    NODE_USER_EXISTS = ("NodeUserExists", 409, "The specified node user already exists.")
    NODE_USER_NOT_FOUND = ("NodeUserNotFound", 404, "The specified node user does not exist.")
    NOT_IMPLEMENTED = ("NotImplemented", 501, "The local Batch service does not implement this.")
    OPERATION_INVALID_FOR_CURRENT_STATE = (
        "OperationInvalidForCurrentState",
        409,
        "The specified operation is not valid for the current state of the resource.",
    )
    OPERATION_NOT_VALID_ON_NODE = (
        "OperationNotValidOnNode",
        409,
        "The specified operation is not valid on the node.",
    )
    OUT_OF_RANGE_QUERY_PARAMETER_VALUE = (
        "OutOfRangeQueryParameterValue",
        400,
        "A query parameter specified in the request URI is outside the permissible range.",
    )
    POOL_BEING_DELETED = (
        "PoolBeingDeleted",
        409,
        "The specified pool has been marked for deletion and is being reclaimed.",
    )
    POOL_BEING_RESIZED = ("PoolBeingResized", 409, "The specified pool is being resized.")
    POOL_EXISTS = ("PoolExists", 409, "The specified pool already exists.")
    POOL_NOT_FOUND = ("PoolNotFound", 404, "The specified pool does not exist.")
    REQUEST_BODY_TOO_LARGE = (
        "RequestBodyTooLarge",
        413,
        "The size of the request body exceeds the maximum size permitted.",
    )
    RESOURCE_NOT_FOUND = ("ResourceNotFound", 404, "The specified resource does not exist.")
    TASK_COMPLETED = ("TaskCompleted", 409, "The specified task is already in a completed state.")
    TASK_DEPENDENCIES_NOT_SPECIFIED_ON_JOB = (
        "TaskDependenciesNotSpecifiedOnJob",
        400,
        (
            "A task was specified as depending on other tasks, but the job did not specify that it would use task"
            " dependencies."
        ),
    )
    TASK_DEPENDENCY_LIST_TOO_LONG = (
        "TaskDependencyListTooLong",
        400,
        "A task was specified as depending on other tasks, but the list of dependencies was too long to be stored.",
    )
    TASK_EXISTS = ("TaskExists", 409, "The specified task already exists.")
    TASK_FILES_CLEANEDUP = ("TaskFilesCleanedup", 409, "The files of the specified task are cleanedup.")
    TASK_FILES_UNAVAILABLE = ("TaskFilesUnavailable", 409, "The files of the specified task are unavailable.")
    TASK_ID_SAME_AS_JOB_PREPARATION_TASK = (
        "TaskIdSameAsJobPreparationTask",
        409,
        "The specified task has an id that is the same as the job preparation task.",
    )
    TASK_ID_SAME_AS_JOB_RELEASE_TASK = (
        "TaskIdSameAsJobReleaseTask",
        409,
        "The specified task has an id that is the same as the job release task.",
    )
    TASK_NOT_COMPLETED = (
        "TaskNotCompleted",
        409,
        (
            "The specified task is not in a completed state, and the requested operation can be performed only on"
            " completed tasks."
        ),
    )
    TASK_NOT_FOUND = ("TaskNotFound", 404, "The specified task does not exist.")
    TASK_SUCCEEDED = (
        "TaskSucceeded",
        409,
        (
            "The specified task has already completed successfully, and the requested operation cannot be performed on"
            " successful tasks."
        ),
    )
    TOO_MANY_ENABLE_AUTO_SCALE_REQUESTS = (
        "TooManyEnableAutoScaleRequests",
        503,
        "Too many Enable Pool AutoScale requests are issued on the pool.",
    )
    UNSUPPORTED_HTTP_VERB = ("UnsupportedHttpVerb", 405, "The resource doesn't support the specified HTTP verb.")
    UNSUPPORTED_QUERY_PARAMETER = (
        "UnsupportedQueryParameter",
        400,
        "One of the query parameters specified in the request URI is not supported.",
    )
    UNSUPPORTED_REQUEST_VERSION = (
        "UnsupportedRequestVersion",
        400,
        "The specified request version is not supported.",
    )

    def __init__(self, code: str, status: int, message: str) -> None:
        self.code = code
        self.status = status
        self.message = message


class BatchError(Exception):
    """An operation is refused; `details` become the `values` of the error body, as (key, value) pairs."""

    def __init__(self, error: ErrorCode, **details: str) -> None:
        self.error = error
        self.details = details
        super().__init__(f"{error.code}: {error.message} {details or ''}".rstrip())


def invalid_property(name: str, value: object, reason: str) -> BatchError:
    """A property of the body has a value that the service does not take; `name` is the service's own (`poolInfo`)."""
    return BatchError(
        ErrorCode.INVALID_PROPERTY_VALUE, PropertyName=name, PropertyValue=str(value)[:200], Reason=reason
    )


def invalid_query(name: str, value: object, reason: str) -> BatchError:
    """A query parameter has a value that the service does not take."""
    return BatchError(
        ErrorCode.INVALID_QUERY_PARAMETER_VALUE,
        QueryParameterName=name,
        QueryParameterValue=str(value)[:200],
        Reason=reason,
    )


def not_implemented(what: str) -> BatchError:
    """An operation or a property of Azure Batch that this service does not have."""
    return BatchError(ErrorCode.NOT_IMPLEMENTED, Operation=what)

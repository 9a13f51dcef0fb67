"""The operations of Azure Batch that this service answers with 501 and their name."""

from __future__ import annotations

from typing import NoReturn

from local.batch.api.call import Call
from local.batch.api.operation import Operation
from local.batch.errors import not_implemented

_SCHEDULE = "/jobschedules/{job_schedule_id}"

UNSUPPORTED = {
    "Pools_ListPoolUsageMetrics": ("GET", "/poolusagemetrics"),
    "Pools_DisablePoolAutoScale": ("POST", "/pools/{pool_id}/disableautoscale"),
    "Pools_EnablePoolAutoScale": ("POST", "/pools/{pool_id}/enableautoscale"),
    "Pools_EvaluatePoolAutoScale": ("POST", "/pools/{pool_id}/evaluateautoscale"),
    "Jobs_ListJobsFromSchedule": ("GET", f"{_SCHEDULE}/jobs"),
    "JobSchedules_JobScheduleExists": ("HEAD", _SCHEDULE),
    "JobSchedules_DeleteJobSchedule": ("DELETE", _SCHEDULE),
    "JobSchedules_GetJobSchedule": ("GET", _SCHEDULE),
    "JobSchedules_UpdateJobSchedule": ("PATCH", _SCHEDULE),
    "JobSchedules_ReplaceJobSchedule": ("PUT", _SCHEDULE),
    "JobSchedules_DisableJobSchedule": ("POST", f"{_SCHEDULE}/disable"),
    "JobSchedules_EnableJobSchedule": ("POST", f"{_SCHEDULE}/enable"),
    "JobSchedules_TerminateJobSchedule": ("POST", f"{_SCHEDULE}/terminate"),
    "JobSchedules_CreateJobSchedule": ("POST", "/jobschedules"),
    "JobSchedules_ListJobSchedules": ("GET", "/jobschedules"),
}


def _refusing(name: str, method: str, path: str) -> Operation:
    def refuse(_: Call) -> NoReturn:
        raise not_implemented(name)

    return Operation(name, method, path, refuse)


OPERATIONS = [_refusing(name, method, path) for name, (method, path) in UNSUPPORTED.items()]

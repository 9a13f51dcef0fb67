"""Why a run, or a phase of its flow, ends before all of its tasks have ended."""

from __future__ import annotations

from shared.documents.document import Document
from shared.documents.record import RunProblem
from shared.documents.states import FailureCategory, FailureCode, Phase
from shared.documents.task_result import Failure
from shared.errors import BatchRefused, ManifestError, Problem


class Rejection(Document):
    """Why a run, or its current round, can never be submitted. The run only has to be recorded and closed."""

    category: FailureCategory
    code: str
    errors: tuple[RunProblem, ...]

    @classmethod
    def by_app(cls, category: FailureCategory, code: str, message: str) -> Rejection:
        """That of a run whose manifest may be right."""
        return cls(category=category, code=code, errors=(RunProblem(message=message),))

    @classmethod
    def of(cls, error: ManifestError | BatchRefused) -> Rejection:
        """That of a run with a mistake in its manifest, or one whose job Batch refuses."""
        problems = error.problems if isinstance(error, ManifestError) else [Problem(str(error))]
        code = FailureCode.INVALID_MANIFEST if isinstance(error, ManifestError) else error.code
        errors = tuple(RunProblem.of(problem) for problem in problems)
        return cls(category=FailureCategory.USER, code=code, errors=errors)

    @property
    def failure(self) -> Failure:
        """The failure of a run that has begun."""
        message = "; ".join(error.message for error in self.errors)
        return Failure(category=self.category, code=self.code, message=message)


class EarlyEnd(Document):
    """The end of a phase of the flow, and of those before it, before all of their tasks ended; later phases still run.

    The run was `cancelled`, or could not continue because of the `rejection`.
    """

    phase: Phase
    cancelled: bool
    rejection: Rejection | None = None

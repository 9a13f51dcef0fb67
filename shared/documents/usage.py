"""What tasks used, as Azure Batch reports it, and what that is estimated to have cost: parts of the record."""

from __future__ import annotations

from shared.documents.document import Document


class Usage(Document):
    """What a task used. Null is what Batch does not report: it gives no statistics, or not in time.

    Times are in seconds. CPU times are summed over all cores; the wall time is that of all times that Batch began it.
    https://learn.microsoft.com/rest/api/batchservice/tasks/list-tasks#batchtaskstatistics
    """

    cpu_user_seconds: float | None = None
    cpu_kernel_seconds: float | None = None
    wall_seconds: float | None = None
    read_gib: float | None = None
    write_gib: float | None = None
    read_operations: int | None = None
    write_operations: int | None = None

    @property
    def cpu_seconds(self) -> float | None:
        """User and kernel time together; None if neither is reported."""
        known = [seconds for seconds in (self.cpu_user_seconds, self.cpu_kernel_seconds) if seconds is not None]
        return sum(known) if known else None

    @property
    def cores(self) -> float | None:
        """How many cores it kept busy on average; None if that is not reported."""
        return self.cpu_seconds / self.wall_seconds if self.cpu_seconds is not None and self.wall_seconds else None


class UsageSum(Usage):
    """What several tasks, or the items of a fan-out, used together.

    Of `count` that ran Batch `reported` so many; the others are not in the sums. `busiest` is the one that used most
    CPU time, as `task` or `task[index]`, and `busiestCpuSeconds` that time.
    """

    count: int = 0
    reported: int = 0
    busiest: str | None = None
    busiest_cpu_seconds: float | None = None


class Amount(Document):
    """An amount of money, in the currency that the app setting `PRICE_CURRENCY` names."""

    amount: float
    currency: str


class Cost(Amount):
    """What the tasks of a run are estimated to have cost, by the prices that the app setting `NODE_PRICES` gives.

    Of the tasks that ran, `priced` are in it, and `unpriced` are not: the price of their nodes is not set, or their
    times are not known. `basis` says how it is computed, and `excludes` what is not in it.
    """

    priced: int
    unpriced: int = 0
    basis: str
    excludes: str

    @property
    def figure(self) -> Amount:
        """The amount alone."""
        return Amount(amount=self.amount, currency=self.currency)

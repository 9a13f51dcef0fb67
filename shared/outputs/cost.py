"""What tasks are estimated to have cost: the time that they took slots of a node, at the price of the node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.documents.record import PoolNodes
from shared.documents.states import State
from shared.documents.task_result import ItemRecord, TaskRecord, TaskResult
from shared.documents.usage import Cost
from shared.outputs._usage import sum_of_known
from shared.outputs.outcome import Outcome
from shared.prices import NodeKind, Prices

BASIS = "time of the task x its slots / slots of the node x price of the node an hour (NODE_PRICES)"
EXCLUDES = "idle nodes, tries on nodes that were taken away, disks, network and storage are not in it"
DIGITS = 6
_HOUR = 3600.0
_KIND_BY_ENDING = {"d": NodeKind.DEDICATED, "p": NodeKind.SPOT}


@dataclass(frozen=True)
class SlotPrices:
    """What a slot of the nodes of a pool costs, as far as these and their prices are known."""

    nodes: PoolNodes | None
    prices: Prices

    def cost(self, task: Outcome, slots: int) -> float | None:
        """What a task cost that took so many slots of its node; None if its times or the price are not known."""
        if self.nodes is None or not task.node or not task.started or not task.ended:
            return None
        price = self.prices.of(self.nodes.vm_size, kind_of(task.node))
        if price is None:
            return None
        hours = max(0.0, (task.ended - task.started).total_seconds()) / _HOUR
        return round(hours * price * slots / self.nodes.slots, DIGITS)


def kind_of(node: str) -> NodeKind | None:
    """The kind of a node; None if its id does not tell.

    The id of a node ends in `_d` or `_p` (`tvmps_<64 hex digits>_d`); what the service says of tasks tells it only so.
    """
    return _KIND_BY_ENDING.get(node.rpartition("_")[2]) if "_" in node else None


def cost_of_items(items: Iterable[ItemRecord]) -> float | None:
    """What those items of a fan-out cost that ran in this run and whose cost is known; None if it is of none."""
    return sum_of_known((item.cost for item in items if item.taken_from is None), DIGITS)


def cost_of_run(tasks: Sequence[TaskRecord], items: Mapping[str, Sequence[ItemRecord]], prices: Prices) -> Cost | None:
    """What all tasks of a run cost; None if that is known of none of them."""
    single = [task for task in tasks if task.items is None]
    ran = [each for each in (*single, *(item for of_task in items.values() for item in of_task)) if _took_a_node(each)]
    amount = sum_of_known((each.cost for each in ran), DIGITS)
    if amount is None:
        return None
    unpriced = sum(each.cost is None for each in ran)
    return Cost(
        amount=amount,
        currency=prices.currency,
        priced=len(ran) - unpriced,
        unpriced=unpriced,
        basis=BASIS,
        excludes=EXCLUDES,
    )


def _took_a_node(result: TaskResult) -> bool:
    """Whether it took a node in this run; of what was stopped while it ran, Batch need not tell which."""
    return result.taken_from is None and (result.node is not None or result.state is State.KILLED)

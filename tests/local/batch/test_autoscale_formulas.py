"""The language of autoscale formulas, with what Azure answers where that is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from local.batch.autoscale.errors import FormulaError, FormulaUnsupportedError
from local.batch.autoscale.evaluation import Evaluation, Scope, evaluate
from local.batch.autoscale.formula import parse
from local.batch.autoscale.samples import Counts, History

NOW = datetime(2026, 11, 22, 13, 30, 15, 250_000, tzinfo=UTC)  # a Sunday
NO_CHANGE = "$TargetDedicatedNodes=2;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue"


def history(minutes: float, **counts: int) -> History:
    """Samples of the last minutes, all alike."""
    made = History()
    for number in range(int(minutes * 2), 0, -1):
        made.record(NOW - timedelta(seconds=30 * (number - 1)), Counts(**counts))
    return made


def run(text: str, samples: History | None = None, **counts: int) -> Evaluation:
    """Evaluate a formula of a pool that should have two nodes, with four slots each."""
    return evaluate(parse(text), Scope(NOW, Counts(**counts), samples or History(), 4, 2, 0))


def value_of(expression: str, samples: History | None = None, **counts: int) -> str:
    """What the results show of an expression, or its error."""
    evaluation = run(f"x = {expression}", samples, **counts)
    return evaluation.error.detail if evaluation.error else evaluation.results.rpartition(";x=")[2]


def test_results_have_the_form_of_the_service():
    """Microsoft's own test of `evaluate_pool_auto_scale`."""
    results = "$TargetDedicatedNodes=3;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue"
    assert run("$TargetDedicatedNodes=3").results == results


def test_variables_follow_in_order():
    """Numbers have six digits: `$samples=96.6667;$targetVMs=0.5;$tasks=0;cappedPoolSize=3` is of a pool in Azure."""
    text = "cappedPoolSize=3; $tasks=0; $samples=100*29/30; $targetVMs=1/2; // a comment\n"
    assert run(text + "$NodeDeallocationOption=terminate;").results.endswith(
        "$NodeDeallocationOption=terminate;$samples=96.6667;$targetVMs=0.5;$tasks=0;cappedPoolSize=3"
    )


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3 - 4 / 2", "5"),
        ("-(2 + 3) * 2", "-10"),
        ("1 < 2 && !(2 >= 3) || 0", "1"),
        ("0 ? 1 : 2 != 2 ? 3 : 4", "4"),
        ('"a" == "b"', "0"),
        ("avg(1, 2, 6)", "3"),
        ("max($CurrentDedicatedNodes * 1.5, 2)", "6"),
        ("min(4, 3) + sum(1, 2) + len(1, 1)", "8"),
        ("ceil(2.1) + floor(2.9) + round(2.5) + round(-2.5)", "5"),
        ("lg(8) + log(100) + ln(1)", "5"),
        ("norm(3, 4) + range(1, 4) + std(1, 3)", "9.41421"),
        ("ceil(1.5, 2.5)", "[2,3]"),
        ("ceil(1.5, 2.5) * 2 + ceil(1, 1)", "[5,7]"),
        ("val(ceil(5, 6, 7), 1)", "6"),
        ("percentile(ceil(5, 6, 7, 8), 50)", "6"),
        ("time()", "2026-11-22T13:30:15.250Z"),
        ("time().weekday", "0"),
        ("time().hour", "13"),
        ('(time() - time("2026-11-22T13:30:00.2500000Z")) / TimeInterval_Second', None),
        ('time() - time("2026-11-22T13:00:00Z") > TimeInterval_Minute * 30', "1"),
        ('(time("Sun, 22 Nov 2026 13:00:00 GMT") + 2 * TimeInterval_Day).weekday', "2"),
        ("$TaskSlotsPerNode * $TargetDedicatedNodes", "8"),
        ("$TargetDedicated", "2"),
    ],
)
def test_expressions(expression, value):
    """As the documentation's tables of operators and functions have them; an interval is not divided by another."""
    shown = value_of(expression, dedicated=4)
    assert shown == value if value else "not defined for timeinterval and timeinterval" in shown


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ('1 + "a"', "Line 1, Col 7: '+' is not defined for double and string"),
        ("1 / 0", "Line 1, Col 7: float division by zero"),
        ("avg($PendingTasks.GetSample(1))", "Line 1, Col 5: avg of no values"),
        ("$PendingTasks / 4", "Line 1, Col 19: '/' is not defined for an object with samples and double"),
        ("$PendingTasks", "Line 1, Col 1: $PendingTasks is an object; only its methods have values"),
        ("ceil(1, 2) + ceil(1, 2, 3)", "Line 1, Col 16: The vectors have 2 and 3 elements"),
        ('"a" ? 1 : 2', "Line 1, Col 5: A condition is a double, not string"),
        ("$TargetDedicatedNodes.GetSample(1)", "Line 1, Col 27: double has no samples"),
        ("val(ceil(1, 2), 2)", "Line 1, Col 5: There is no element 2 in a vector of 2"),
        ("!" * 5000 + "1", "Line 1, Col 1: The formula is nested too deeply"),
    ],
)
def test_what_is_not_defined_fails_the_evaluation(expression, reason):
    """And leaves the pool as it is, which the results say."""
    assert value_of(expression) == reason
    assert run(f"x = {expression}; $TargetDedicatedNodes = 9").results == NO_CHANGE


@pytest.mark.parametrize(
    "text", ["$TargetDedicatedNodes=-1", "$TargetDedicatedNodes=time()", "$NodeDeallocationOption=1"]
)
def test_what_the_pool_is_told_has_its_type(text):
    """A negative target is none either."""
    assert "takes" in run(text).error.detail


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("$something_useless", "Line 1, Col 1: Undeclared variable $something_useless"),
        (" // nothing", "Line 1, Col 1: There is no statement"),
        ("x = 1;\ny = z", "Line 2, Col 5: Undeclared variable z"),
        ("x = foo(1)", "Line 1, Col 5: There is no function foo"),
        ("x = avg()", "Line 1, Col 5: avg does not take 0 arguments"),
        ("x = $PendingTasks.Take(1)", "Line 1, Col 19: There is no function Take"),
        ("x = time().century", "Line 1, Col 12: There is no member century"),
        ("$PendingTasks = 1", "Line 1, Col 1: $PendingTasks cannot be assigned to"),
        ("x = 1 y = 2", "Line 1, Col 7: Expected ';' before 'y'"),
        ("x = (1", "Line 1, Col 7: Expected ')' before 'the end of the formula'"),
        ("x = ", "Line 1, Col 5: Unexpected 'the end of the formula'"),
        ("x = 1 % 2", "Line 1, Col 7: Unexpected character '%'"),
        ("x=1;" * 101, "Line 1, Col 401: There are more than 100 statements"),
        ("x = " + "(" * 5000, "Line 1, Col 1: The formula is nested too deeply"),
    ],
)
def test_a_formula_that_cannot_be_read_is_refused(text, reason):
    """With the place, as the service has it in its messages."""
    with pytest.raises(FormulaError) as refusal:
        parse(text)
    assert refusal.value.detail == reason


@pytest.mark.parametrize("name", ["$CPUPercent", "$SampleNodeCount", "retaineddata"])
def test_what_is_not_measured_here_is_refused_by_name(name):
    """Rather than being zero."""
    with pytest.raises(FormulaUnsupportedError) as refusal:
        parse(f"x = {name}")
    assert refusal.value.name == name


def test_samples_are_seen_a_minute_later():
    """So of five minutes the last two samples are missing, and the percentage says so."""
    samples = history(minutes=10, active=3, running=4)
    assert value_of("$PendingTasks.GetSamplePercent(TimeInterval_Minute * 5)", samples) == "80"
    assert value_of("$ActiveTasks.GetSample(TimeInterval_Minute * 2)", samples) == "[3,3]"
    assert value_of("$PendingTasks.GetSample(1)", samples) == "[7]"
    assert value_of("$RunningTasks.GetSample(TimeInterval_Minute, 3 * TimeInterval_Minute)", samples) == "[4,4,4,4]"
    assert value_of("$PendingTasks.Count()", samples) == "18"
    assert value_of("$PendingTasks.GetSamplePeriod() == TimeInterval_Second * 30", samples) == "1"
    assert value_of("time() - $PendingTasks.HistoryBeginTime() > TimeInterval_Minute * 9", samples) == "1"


def test_a_formula_can_demand_samples():
    """Its evaluation fails without them, in the service's words."""
    error = run("\nx = $RunningTasks.GetSample(TimeInterval_Minute * 5, 70);", history(minutes=3)).error
    assert (error.code, error.summary) == (
        "InsufficientSampleData",
        "Autoscale evaluation failed due to insufficient sample data",
    )
    assert error.detail == "Line 2, Col 19: Insufficient data from data set: $RunningTasks wanted 70%, received 40%"


def test_without_samples_there_is_no_last_one():
    """The guard of Microsoft's formulas, `max(0, …)`, is for that."""
    assert value_of("$PendingTasks.GetSample(1)") == "[]"
    assert value_of("max(0, $PendingTasks.GetSample(1))") == "0"
    assert value_of("$PendingTasks.GetSamplePercent(TimeInterval_Minute * 5)") == "0"


def test_only_what_a_condition_chooses_is_evaluated():
    """A formula can look whether there are samples before it takes them."""
    assert value_of("1 ? 2 : avg($PendingTasks.GetSample(1))") == "2"


def test_stop_ends_the_evaluation():
    """What was assigned before holds."""
    assert run("$TargetDedicatedNodes = 5; stop(); $TargetDedicatedNodes = 6;").target_dedicated == 5


def test_targets_are_whole_nodes_and_have_aliases():
    """A target of 2.9 is "truncated to 2": Azure/Batch#151. The full name takes precedence."""
    assert run("$TargetDedicatedNodes = 2.9").target_dedicated == 2
    assert run("$TargetDedicated = 7").target_dedicated == 7
    assert run("$TargetDedicatedNodes = 5; $TargetDedicated = 7").target_dedicated == 5
    assert run("$TargetLowPriority = 4").target_low_priority == 4

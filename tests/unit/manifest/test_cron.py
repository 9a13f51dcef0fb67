"""Cron expressions of a Schedule: those that Kestra takes, and what they mean to croniter; all others say why not."""

import re
from datetime import UTC, datetime

import pytest
from croniter import croniter

from shared.manifest._cron import NICKNAMES, normal_cron


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("0 9 * * *", "0 9 * * *"),
        ("  5\t4 * * 1 ", "5 4 * * 1"),
        ("*/15 * * * *", "0,15,30,45 * * * *"),
        ("5/20 * * * *", "5,25,45 * * * *"),
        ("1-10/4 * * * *", "1,5,9 * * * *"),
        ("3,1,2 0 * * *", "1,2,3 0 * * *"),
        ("7-7 0 * * *", "7 0 * * *"),
        ("0 0 * JAN-mar,12 *", "0 0 * 1,2,3,12 *"),
        ("0 0 * * MON-FRI", "0 0 * * 1,2,3,4,5"),
        ("0 0 * * 5-7", "0 0 * * 0,5,6"),
        ("0 0 * * SUN-TUE", "0 0 * * 0,1,2"),
        ("0 0 * * 0,7,sun", "0 0 * * 0"),
        ("0 0 L * *", "0 0 L * *"),
        ("0 0 15,L * *", "0 0 15,L * *"),
        ("0 0 29 2 *", "0 0 29 2 *"),
        ("0 0 31 2 MON", "0 0 31 2 1"),
        ("0 0 1-31 * MON", "0 0 * * *"),
        ("0 0 */1 * MON", "0 0 * * *"),
        ("0 0 1 * */1", "0 0 * * *"),
        ("0 0 * * */2", "0 0 * * 0,2,4,6"),
        ("00 09 * * *", "0 9 * * *"),
        ("@hourly", "0 * * * *"),
        ("@Midnight", "0 0 * * *"),
        ("@annually", "0 0 1 1 *"),
    ],
)
def test_an_expression_means_the_same_in_every_reader(written: str, normal: str) -> None:
    assert normal_cron(written) == normal
    assert croniter(normal, datetime(2026, 1, 1, tzinfo=UTC)).get_next(datetime)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "has five fields (minute, hour, day, month, day of the week), this has 0"),
        ("0 0 9 * * *", "this has 6; the seconds are none of them"),
        ("60 * * * *", "the minute 60 is not from 0 to 59"),
        ("* 24 * * *", "the hour 24 is not from 0 to 23"),
        ("* * 0 * *", "the day 0 is not from 1 to 31"),
        ("* * * 13 *", "the month 13 is not from 1 to 12"),
        ("* * * * 8", "the day of the week 8 is not from 0 to 7"),
        ("* * * * FRI-MON", "the range 'FRI-MON' ends before it begins: write it as two, FRI-7,0-MON"),
        ("50-10 * * * *", "write it as two, 50-59,0-10"),
        ("* * * * MONDY", "'MONDY' is no day of the week"),
        ("* * * JANU *", "'JANU' is no month"),
        ("*/0 * * * *", "the step of '*/0' must be from 1 to 59"),
        ("*/60 * * * *", "the step of '*/60' must be from 1 to 59"),
        ("1,,2 * * * *", "'' is no minute"),
        ("-5 * * * *", "'-5' is no minute"),
        ("1.5 * * * *", "'1.5' is no minute"),
        ("* * ? * *", "'?' is no day, and no range of them: write *"),
        ("* * 15W * *", "there is only L"),
        ("* * * * 5L", "there is only L"),
        ("* * * * 5#1", "there is only L"),
        ("L * * * *", "'L' is no minute"),
        ("* * L-3 * *", "'L' is no day"),
        ("H * * * *", "'H' is no minute"),
        ("* * 31 2,4 *", "never occurs"),
        ("0 0 30 FEB *", "never occurs"),
        ("@reboot", "there is no cron nickname '@reboot'"),
        ("@dayly", 'did you mean "@daily"?'),
        ("R * * * *", "'R' is no minute"),
    ],
)
def test_what_is_none_is_refused_with_what_is_wrong(written: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        normal_cron(written)


def test_every_nickname_is_an_expression() -> None:
    assert set(NICKNAMES) == {
        f"@{name}" for name in ["yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"]
    }
    assert all(normal_cron(meant) == meant for meant in NICKNAMES.values())

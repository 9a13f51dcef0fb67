"""`report.html`: everything known of a run → the page that a person opens. Pure; imported only when a run is recorded.

    page.py        what is known of a run (`Report`), and the page made of it
    overview.py    what happened in a sentence, the figures, the phases and events of the run
    advice.py      failures, errors and warnings, each with what to do about it
    gantt.py       when which task ran
    tasks.py       tasks, and the items of fan-outs that are worth a look
    values.py      printed values and metrics, and small charts of them
    files.py       output files
    log_ends.py    which logs are shown, and the end of one
    listing.py     the manifest's lines, the faulty ones marked
    text.py        how times, sizes, numbers and texts of others are written
    templates/     the page, one part for each of these, and its style sheet

Modules give raw texts; the page masks, shortens and escapes each where it is printed.
"""

"""`report.html`: everything known of a run → the page that a person opens. Imported only when a run is recorded.

    page.py        what is known of a run (`Report`), and the page made of it
    log_ends.py    which logs are shown, and the end of one
    previews.py    which output files are shown
    earlier.py     the run that a retry runs again
    _chain.py      the trigger that started a run, the run that it followed, and those that follow it
    listing.py     the lines of the manifest, and of the flow that it names, with problems marked
    _overview.py   what happened in a sentence, the figures, the phases and events of the run
    _advice.py     failures, errors and warnings, each with what to do about it
    _gantt.py      when which task ran
    _tasks.py      tasks, and the items of fan-outs that are worth a look
    _values.py     inputs, printed values and metrics, and small charts of them
    _item_values.py    which item of a fan-out printed which value
    _preview_texts.py  the beginnings of files, as tables and texts
    _files.py      output files
    _text.py       how times, sizes, numbers and texts of others are written
    templates/     the page, one part for each of these, and its style sheet

Modules return raw texts; the page masks, shortens and escapes each text where it is printed.
"""

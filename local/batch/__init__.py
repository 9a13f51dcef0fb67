"""Azure Batch on one machine: the service that unchanged Batch clients speak to.

The layers, each using only those below it::

    server.py                the process: options, port, signals
    api/                     requests and responses: routes, signatures, OData, faults
    service.py  store.py     one account at work: the machine, its store and its nodes, driven by real time
    node/                    what a node does for a task: files, processes, uploads
    machine/                 the rules of the service, without I/O and on a clock that it is given
    autoscale/               the language of the formulas by which pools scale
    models/  errors.py  failures.py     the words of the wire

What the service does not do is answered with 501 and the name of the property that asks for it.
"""

from local.batch.api.auth import ACCOUNT_KEY, ACCOUNT_NAME

__all__ = ["ACCOUNT_KEY", "ACCOUNT_NAME"]

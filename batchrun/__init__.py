"""The runs of an app from the outside: a command, `python -m batchrun`, and a Python client, `batchrun.client`.

It uses what a person may use: the containers, the Batch account, and the documents that the app writes. It never
imports the app's services (`shared.app`, `shared.batch`, `shared.storage`, `shared.steps`) or the local stack.
"""

"""The state of a Batch account as a machine without I/O, on a clock that it is given.

`account.Account` is the door. It is told what clients ask for and what nodes report, and says in return what nodes
shall do (`commands`) and which resources have changed; a server, a test or a simulation drives it.
"""

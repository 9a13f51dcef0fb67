"""The language of autoscale formulas: text → `Formula`; a formula and what it sees → the nodes that a pool shall have.

Pure: what a formula sees is given to it (`evaluation.Scope`). The language is that of
https://learn.microsoft.com/azure/batch/batch-automatic-scaling; what it names and this service cannot know, such as the
load of processors, is refused by name (`errors.FormulaUnsupportedError`).
"""

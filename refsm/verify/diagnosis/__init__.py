"""From answers to an explanation.

Reading order: `precision` (how far a right answer may be off), `scaling` and `scaling_fit` (what a
coefficient can be), `regression` (answers on terms), `explanation` (what a fit says), `diagnose`
(the whole), `gradients`, `selftest`.
"""

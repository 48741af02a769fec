"""From answers to an explanation.

Reading order: `precision` (how far a right answer may be off), `scaling` and `scaling_fit` (what a
coefficient can be), `regression` (answers on terms), `explanation` (what a fit says), `diagnose`
(the whole), `gradients`, `per_point` (the terms of single points), `point_masks` (which points are
taken), `selftest`.  For denoising at many levels: `quadratic_form` (weight and target of each),
their names in `weight_names`, `target_names`, `level_formulas` and `edm_constants`, other points in
`points` and `other_points`, and `weighted_mistake`.
"""

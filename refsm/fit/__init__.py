"""Fits: descent with steps of one's own, and the minimum by a method of SciPy.

    descent       the loop: steps, momentum, batches
    minimization  the minimum: checks, search, Newton steps, and a verdict
    options       bounds, method and options, checked before a fit starts
    state         the point where a fit is, and the scales there
    rounds        the search: a method of scipy.optimize in scaled parameters
    newton        Newton steps from gradients alone
    unbounded     whether an objective falls without end
    scaling       the scale of each parameter, the curvature, the scaled gradient
    barrier       values beyond the parameters that an energy takes
    run_record    the result of a run, complete or interrupted
"""

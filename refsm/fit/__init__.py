"""Fits: descent with steps of one's own, and the minimum by a method of SciPy.

    descent       the loop: steps, momentum, batches
    minimization  a method of scipy.optimize in scaled parameters, then Newton steps, and a verdict
    scaling       the scale of each parameter, the curvature, the scaled gradient
    barrier       values beyond the parameters that an energy takes
    newton        Newton steps from gradients alone
    unbounded     whether an objective falls without end
    options       bounds, method and options, checked before a fit starts
    run_record    the result of a run, complete or interrupted
"""

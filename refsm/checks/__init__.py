"""Check a derivative: a verdict, and the smallest error that would have been seen.

    differences   the derivative along a direction, and what it can be off by
    probe         the complex step where it is right, differences otherwise
    verdict       PASS, FAIL or INCONCLUSIVE
    vectors       what the function under test takes, as one vector
    gradient      check_gradient, check_jacobian
    taylor        taylor_orders
    model         check_model
    objective     check_objective
"""
from refsm.checks.gradient import check_gradient, check_jacobian
from refsm.checks.model import check_model
from refsm.checks.objective import check_objective
from refsm.checks.taylor import taylor_orders
from refsm.checks.verdict import Report

__all__ = ["check_gradient", "check_jacobian", "check_model", "check_objective", "taylor_orders",
           "Report"]

"""Check a derivative: a verdict with what would have been seen, never a bare number.

    differences   the derivative along a direction, and what it can be off by
    probe         the complex step where it is right, differences otherwise
    verdict       PASS, FAIL or INCONCLUSIVE
    gradient      check_gradient, check_jacobian, taylor_orders
    model         check_model, check_objective
"""
from refsm.checks.gradient import check_gradient, check_jacobian, taylor_orders
from refsm.checks.model import check_model, check_objective
from refsm.checks.verdict import Report

__all__ = ["check_gradient", "check_jacobian", "check_model", "check_objective", "taylor_orders", "Report"]

"""Implementations that draw their own noise: exact expectations (`hypotheses`) against replicates.
"""
from __future__ import annotations

from refsm.verify.own_noise.hypotheses import DRAWING
from refsm.verify.own_noise.replicates import REPLICATES, verify_own_noise

__all__ = ["DRAWING", "REPLICATES", "verify_own_noise"]

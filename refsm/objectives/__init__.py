"""Objectives: one file, one family; `objective.py` is the contract they share.

Read `score_matching` first (explicit and implicit, Hyvarinen 2005), then `denoising` and `denoising_autoencoder`
(Vincent 2011), whose equality is the first theorem of `refsm.theorems`.
"""

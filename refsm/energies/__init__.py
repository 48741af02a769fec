"""Energies: one file, one energy; `energy.py` is the contract they share.

Read `gaussian` first, then `autoencoder`, the energy of Vincent (2011): the other files have the
same form.
"""

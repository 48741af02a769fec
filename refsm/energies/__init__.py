"""Energies: one file, one energy; `energy.py` is the contract they share.

Read `autoencoder` first: it is the energy of Vincent (2011), and every other file has its form.
"""

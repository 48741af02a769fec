"""What a person reads: `report` is its form, `compose` makes one from a diagnosis, `name` its first
line; `known`, `effects` and `where` have what is known about differences.
"""

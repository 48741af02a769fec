"""`python -m demos` says which demos there are."""
import demos

print(demos.__doc__)

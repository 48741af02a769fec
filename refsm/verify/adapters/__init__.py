"""The ways in: a function (`ask`), files, a program, templates; failures in one line."""

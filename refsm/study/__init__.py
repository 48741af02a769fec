"""The book: the rooms as pages, and the numbers behind every tagged line."""

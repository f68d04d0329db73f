"""Notebooks that run by themselves: one at a time, on a schedule, in the Lab's own jobs, with word when they fail."""

"""The rules of labeling: pure functions from values to values; no clock, no randomness, no input or output.

`tasks` has the values, `flags` what a flag does to a task, `slots` who may answer it, `answers` what they make of
it; `order` says which task is worth most, `day` caps answers; `facts` have happened, `errors` are what is refused.
"""

"""Fifty simulated readers over real HTTP while web, worker and Postgres are killed with -9.

`make torture` runs it; tests/faults runs its short form. What the readers were told is compared
with the database, the log and `reread verify` at the end. Linux only.
"""

"""A service for tests of the runtime: writes each ShadowCompared into a ledger and answers with a WindowClosed.

`stop_reason` of the event says how its handler is to fare; see `handler`.
"""

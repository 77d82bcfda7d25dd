"""The speed of vista, measured beside named references: ``python -m benchmarks``, ``make bench``.

Not installed with vista and imported by nothing in it. ``benchmarks/README.md`` says how to read
the table.
"""

"""Practical Byzantine Fault Tolerance as a pure state machine.

`Replica` and `Client` are told what happened and what time it is, and answer with effects. They own
no socket, disk, clock or dice. Sources: Castro and Liskov, OSDI 1999 and TOCS 2002; Clement and
others, "Making Byzantine Fault Tolerant Systems Tolerate Byzantine Faults", NSDI 2009 (Aardvark);
Veronese and others, "Efficient Byzantine Fault-Tolerance", IEEE TC 2013 (MinBFT).
What was decided where these leave a choice stands in ``docs/design/pbft.rst``.
"""

"""A whole replicated group with its clients, network, disks and faults in one process, from a seed.

`run_seed` makes a run: a storm of faults, then a calm in which everything must be answered and all
correct replicas must come to the same state. ``docs/solidstate.rst`` says how to use it.
"""

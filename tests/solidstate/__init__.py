"""SolidState: agreement in spite of Byzantine faults, and the simulator that judges it."""

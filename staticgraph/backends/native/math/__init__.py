"""Elementary and special functions in machine code."""

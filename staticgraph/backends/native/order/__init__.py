"""Orders in machine code: keys, networks and merges."""

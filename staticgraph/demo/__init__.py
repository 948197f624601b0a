"""The demo: digits.py is the program a user would write, show.py is what displays its run."""

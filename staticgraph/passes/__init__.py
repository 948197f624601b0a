"""The optimizer: a table of passes, each from Function to Function, and the runner of the table."""

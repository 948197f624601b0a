"""The intermediate representation: dtypes, types, graphs, Functions. It knows no op by name."""

"""One module a library: how each workload is written in it. Imported only in its own process."""

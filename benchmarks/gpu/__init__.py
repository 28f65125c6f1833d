"""Whether training holds on this machine's card; see `benchmarks.gpu.driver`."""

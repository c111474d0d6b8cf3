"""What the benchmarks share: models, the host's samplers, schedules, caches, solvers, statistics, tables, picture."""

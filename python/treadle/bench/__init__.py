"""What one task costs on this machine: the workloads behind ``python -m treadle bench``.

`workload` says what a workload is, the ``workloads_*`` modules are the workloads themselves,
`rivals` the pools that they compare, `measure` the clock, `report` and `plot` the answers.
"""

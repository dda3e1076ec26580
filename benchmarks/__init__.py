"""What answering costs: tinyhttp beside other servers, measured on one machine in one run.

``python -m benchmarks --list`` names the cases and the servers that were found. `cases` says what
is measured, `measuring` how, `servers` against whom; everything is started on free ports of the
loopback interface, serves the same directory, and ends with the run.
"""

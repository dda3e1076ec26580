-- What wrk has counted, as one line of JSON; every other script begins with it.
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"microseconds": %d, "requests": %d, "octets": %d, "p50": %d, "p99": %d, ' ..
    '"connect": %d, "read": %d, "write": %d, "timeout": %d, "status": %d}\n',
    summary.duration, summary.requests, summary.bytes,
    latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end

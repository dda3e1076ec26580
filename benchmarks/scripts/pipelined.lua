-- 32 requests at once; the next 32 when all are answered.
require "report"

local batch

function init()
  batch = string.rep(wrk.format(), 32)
end

function request()
  return batch
end

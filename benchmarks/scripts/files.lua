-- 3,000 different files, one after the other.
require "report"

local requests, number = {}, 0

function init()
  for file = 0, 2999 do
    requests[file] = wrk.format("GET", string.format("/f%04d.html", file))
  end
end

function request()
  number = (number + 1) % 3000
  return requests[number]
end

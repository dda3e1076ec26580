-- Four large files in turn.
require "report"

local requests, number = {}, 0

function init()
  for file = 0, 3 do
    requests[file] = wrk.format("GET", string.format("/100m-%d.bin", file))
  end
end

function request()
  number = (number + 1) % 4
  return requests[number]
end

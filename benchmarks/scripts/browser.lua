-- The 14 fields that a browser sends through a proxy; the last two are new in every request.
require "report"

local number = 0
local same = table.concat({
  "Host: localhost",
  "Connection: keep-alive",
  "Cache-Control: max-age=0",
  'sec-ch-ua: "Chromium";v="130", "Not?A_Brand";v="99"',
  "sec-ch-ua-mobile: ?0",
  'sec-ch-ua-platform: "Linux"',
  "Upgrade-Insecure-Requests: 1",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) " ..
    "Chrome/130.0.0.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp," ..
    "image/apng,*/*;q=0.8",
  "Sec-Fetch-Site: same-origin",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Accept-Language: en-GB,en;q=0.9",
}, "\r\n")

function request()
  number = number + 1
  return "GET " .. wrk.path .. " HTTP/1.1\r\n" .. same ..
    "\r\nX-Request-ID: 7f3a-" .. number ..
    "\r\nX-Forwarded-For: 10." .. math.floor(number / 62500) % 250 .. "." ..
    math.floor(number / 250) % 250 .. "." .. number % 250 .. "\r\n\r\n"
end

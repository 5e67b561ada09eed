-- Asks for each of many routes in turn, as portico-routes.yaml.tmpl names them, with
-- steps so wide that no route is near the one before.
--
-- Usage: wrk -s routes.lua URL -- ROUTES
local requests, count, at = {}, 0, 0
local step = 7919 -- shares no factor with the number of routes

function init(args)
  count = tonumber(args[1])
  for i = 0, count / 2 - 1 do
    wrk.headers["Host"] = "h" .. i .. ".example.com"
    requests[#requests + 1] = wrk.format("GET", "/1k")
    wrk.headers["Host"] = "paths.example.com"
    requests[#requests + 1] = wrk.format("GET", "/p" .. i .. "/1k")
  end
end

function request()
  at = (at + step) % count
  return requests[at + 1]
end

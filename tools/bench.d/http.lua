-- The HTTP side of the measurement, run by wrk: every thread has one connection, on which it posts
-- one deposit after the other.
--
--   LUA_PATH='tools/bench.d/?.lua;;' wrk -t8 -c8 -d4s -s http.lua URL -- 'account=1&amount=100'

local samples = require("samples")

local MADE = 200

local post, began, own
local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

function init(arguments)
  own = samples.new()
  -- Global, because only globals can be fetched from a thread, and table by table, because wrk
  -- crashes on a table of tables.
  span, applied, refused = own.span, own.applied, own.refused
  local form = { ["Content-Type"] = "application/x-www-form-urlencoded" }
  post = wrk.format("POST", nil, form, arguments[1])
end

function request()
  began = samples.now()
  return post
end

function response(status)
  samples.note(own, began, status ~= MADE and status or nil)
end

function done(summary)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  if broken > 0 then
    print(string.format('{"error":"%d connections broke or got no answer"}', broken))
  end
  for _, thread in ipairs(threads) do
    samples.print({
      span = thread:get("span"),
      applied = thread:get("applied"),
      refused = thread:get("refused"),
    })
  end
end

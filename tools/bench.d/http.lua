-- The HTTP side of the measurement, run by wrk: every thread has one connection, on which it posts
-- one deposit after the other, each into one of the accounts, drawn at random.
--
--   LUA_PATH='tools/bench.d/?.lua;;' wrk -t8 -c8 -d4s -s http.lua URL -- AMOUNT ACCOUNT...

local samples = require("samples")

local MADE = 200

local posts, began, own
local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
  thread:set("number", #threads)
end

function init(arguments)
  own = samples.new()
  -- Global, because only globals can be fetched from a thread, and table by table, because wrk
  -- crashes on a table of tables.
  span, applied, refused = own.span, own.applied, own.refused
  local form = { ["Content-Type"] = "application/x-www-form-urlencoded" }
  posts = {}
  for index = 2, #arguments do
    local body = "account=" .. arguments[index] .. "&amount=" .. arguments[1]
    posts[index - 1] = wrk.format("POST", nil, form, body)
  end
  -- Without a seed of its own, every thread draws the same.
  math.randomseed(samples.now() + number)
end

function request()
  local post = posts[math.random(#posts)]
  began = samples.now()
  return post
end

function response(status, _headers, body)
  local refusal
  if status ~= MADE then
    refusal = status .. " " .. (body:match('"urn:racy:problem:([%a-]+)"') or "?")
  end
  -- A refusal may name its attempts, too.
  samples.note(own, began, refusal, tonumber(body:match('"attempts":(%d+)') or 1))
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

-- What a client records about its deposits, in the same way over HTTP and natively: how long each
-- made deposit took, how many were refused and why, and the number of retries. Times are whole
-- microseconds.

local ffi = require("ffi")

ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } racy_time;
  int clock_gettime(int clock, racy_time *time);
]]

local CLOCK_MONOTONIC = 1
local time = ffi.new("racy_time[1]")

local samples = {}

function samples.now()
  ffi.C.clock_gettime(CLOCK_MONOTONIC, time)
  return tonumber(time[0].seconds) * 1e6 + tonumber(time[0].nanoseconds) / 1e3
end

function samples.new()
  return { span = { retries = 0 }, applied = {}, refused = {} }
end

-- Records one deposit that began at `began` and has just ended, after `attempts` attempts.
-- `refusal` is nil if it was made.
function samples.note(own, began, refusal, attempts)
  local span, applied, refused = own.span, own.applied, own.refused
  span.ended = samples.now()
  span.began = span.began or began
  span.retries = span.retries + attempts - 1
  if refusal then
    local code = tostring(refusal)
    refused[code] = (refused[code] or 0) + 1
  else
    applied[#applied + 1] = span.ended - began
  end
end

-- Prints one client's samples as one line of JSON, in one write, because other threads print too.
function samples.print(own)
  local applied, refused = {}, {}
  for index, microseconds in ipairs(own.applied) do
    applied[index] = string.format("%.0f", microseconds)
  end
  for code, count in pairs(own.refused) do
    refused[#refused + 1] = string.format('"%s":%d', code, count)
  end
  io.write(string.format(
    '{"began_us":%.0f,"ended_us":%.0f,"retries":%d,"refused":{%s},"applied_us":[%s]}\n',
    own.span.began or 0, own.span.ended or 0, own.span.retries,
    table.concat(refused, ","), table.concat(applied, ",")))
end

return samples

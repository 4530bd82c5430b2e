-- One question, or, without a key, a look at the memory itself.
--
-- KEYS  the marker; the key in question
-- ARGV  whether the memory outlives its process ('durable', or ''); until when to remember the key, in Unix milliseconds
-- Returns the key, the time here, since when the memory reaches back, and 1 if the key is new; a look returns the
-- eviction policy for a key.

local function info(section, field)
  return string.match(redis.call('INFO', section), '\n' .. field .. ':([%w-]+)') or error('INFO does not tell ' .. field)
end

local durable, look = ARGV[1] == 'durable', #KEYS == 1
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local run = durable and 'any' or info('server', 'run_id')

local marker = redis.call('GET', KEYS[1]) or ''
local since, writer, evicted = string.match(marker, '^(%d+) (%w+) (%d+)$')
if not since
  or not durable and writer ~= run
  or look and evicted ~= info('stats', 'evicted_keys') then
  since = now
  redis.call('SET', KEYS[1], since .. ' ' .. run .. ' ' .. info('stats', 'evicted_keys'))
end

if look then
  return {info('memory', 'maxmemory_policy'), now, since, 0}
end
local new = redis.call('SET', KEYS[2], '', 'NX', 'PXAT', ARGV[2])
return {KEYS[2], now, since, new and 1 or 0}

-- Money for calls: reserved before a call, settled after it, on Redis's own clock. All amounts in micro-dollars.
-- KEYS[1] budget:{YYYY-MM}     hash: spent (settled so far), warned (80 % was announced)
-- KEYS[2] budget:{YYYY-MM-DD}  hash: the same for the day
-- KEYS[3] budget:reserved      sorted set: "{id}:{amount}" by the ms at which the reservation lapses
-- KEYS[4] limit:{customer}     string: calls of this customer in this hour; not counted where the limit is -1
-- ARGV[1] "reserve": ARGV[2] id, ARGV[3] amount, ARGV[4] ms it may last, ARGV[5] month's budget, ARGV[6] day's budget
--                    (-1: none), ARGV[7] calls per customer and hour (-1: none)
--                    -> "ok" | "warn" | "month" | "day" | "customer" | "unknown" (the sums are lost: seed them)
--         "settle":  ARGV[2] id, ARGV[3] amount reserved, ARGV[4] amount spent -> "ok"
--         "seed":    ARGV[2] month's spending, ARGV[3] day's; raises what is lower -> "ok"
local month, day, reserved, limit = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local MONTH_TTL, DAY_TTL = 40 * 86400, 3 * 86400

local function keep()
    redis.call('EXPIRE', month, MONTH_TTL)
    redis.call('EXPIRE', day, DAY_TTL)
end

if ARGV[1] == 'seed' then
    for i, key in ipairs({month, day}) do
        local spent = tonumber(redis.call('HGET', key, 'spent') or '-1')
        if spent < tonumber(ARGV[i + 1]) then redis.call('HSET', key, 'spent', ARGV[i + 1]) end
    end
    keep()
    return 'ok'
elseif ARGV[1] == 'settle' then
    redis.call('ZREM', reserved, ARGV[2] .. ':' .. ARGV[3])
    redis.call('HINCRBY', month, 'spent', ARGV[4])
    redis.call('HINCRBY', day, 'spent', ARGV[4])
    keep()
    return 'ok'
end

local spent = {redis.call('HGET', month, 'spent'), redis.call('HGET', day, 'spent')}
if not spent[1] or not spent[2] then return 'unknown' end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', reserved, '-inf', now)
local held = tonumber(ARGV[3])
-- Only a budget asks what all calls under way may cost.
if tonumber(ARGV[5]) >= 0 or tonumber(ARGV[6]) >= 0 then
    for _, member in ipairs(redis.call('ZRANGE', reserved, 0, -1)) do
        held = held + tonumber(string.match(member, ':(%d+)$'))
    end
end
local answer = 'ok'
for i, name in ipairs({'month', 'day'}) do
    local budget = tonumber(ARGV[4 + i])
    if budget >= 0 then
        local total = tonumber(spent[i]) + held
        if total > budget then return name end
        if total >= 0.8 * budget and redis.call('HSETNX', KEYS[i], 'warned', 1) == 1 then answer = 'warn' end
    end
end
if tonumber(ARGV[7]) >= 0 then
    local calls = redis.call('INCR', limit)
    if calls == 1 then redis.call('EXPIRE', limit, 3600) end
    if calls > tonumber(ARGV[7]) then return 'customer' end
end
redis.call('ZADD', reserved, now + tonumber(ARGV[4]), ARGV[2] .. ':' .. ARGV[3])
redis.call('PEXPIRE', reserved, 3600000)
return answer

-- Circuit breaker of one provider, shared by the whole fleet, on Redis's own clock.
-- KEYS[1] ai_circuit:{provider}          hash: state closed|open|half_open|forced_open, failures (in a row), opened (how
--         often in a row), until_ms (end of the open time), successes (while half-open), probe and probe_until_ms (who
--         may probe, until when), generation (grows with every change), trips (how often opened), reason, since_ms
-- KEYS[2] ai_circuit:{provider}:samples  hash: "{bucket}:calls|failures|slow", the time window in buckets
-- ARGV[1] "permit":  ARGV[2] caller, ARGV[3] ms a probe may take  -> {permitted 0|1, generation, healthy 0|1}
--         "record":  ARGV[2] caller, ARGV[3] generation, ARGV[4] "success"|"failure"|"ignore", ARGV[5] slow 0|1,
--                    ARGV[6] ms to stay open at least (0: as usual), ARGV[7] jitter 0..1, ARGV[8] reason,
--                    ARGV[17] 1: opens whatever the counters say, ARGV[9..16] limits: window ms, buckets, failures in a row, least calls, failure rate, slow rate,
--                    ms open at first, ms open at most                     -> {changed 0|1, state}
--         "force":   ARGV[2] "open"|"close"                                -> {changed 0|1, state}
local circuit, samples = KEYS[1], KEYS[2]
local TTL_MS = 7 * 86400000
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local fields = redis.call('HMGET', circuit, 'state', 'failures', 'opened', 'until_ms', 'successes', 'probe',
                          'probe_until_ms', 'generation')
local state = fields[1] or 'closed'
local failures, opened, until_ms = tonumber(fields[2] or 0), tonumber(fields[3] or 0), tonumber(fields[4] or 0)
local successes, probe, probe_until = tonumber(fields[5] or 0), fields[6], tonumber(fields[7] or 0)
local generation = tonumber(fields[8] or 0)

local function keep(...)
    redis.call('HSET', circuit, ...)
    redis.call('PEXPIRE', circuit, TTL_MS)
end

local function open(wait_ms, reason)
    keep('state', 'open', 'opened', opened + 1, 'until_ms', now + math.floor(wait_ms), 'failures', 0, 'successes', 0,
         'probe_until_ms', 0, 'generation', generation + 1, 'reason', reason, 'since_ms', now)
    redis.call('HINCRBY', circuit, 'trips', 1)
    redis.call('DEL', samples)
    return {1, 'open'}
end

local function close()
    keep('state', 'closed', 'opened', 0, 'failures', 0, 'successes', 0, 'until_ms', 0, 'probe_until_ms', 0,
         'generation', generation + 1, 'reason', '', 'since_ms', now)
    redis.call('DEL', samples)
    return {1, 'closed'}
end

if ARGV[1] == 'permit' then
    if state == 'closed' then return {1, generation, failures == 0 and 1 or 0} end
    if state == 'forced_open' then
        -- Not even time closes it, as long as somebody asks for it now and then.
        redis.call('PEXPIRE', circuit, TTL_MS)
        return {0, generation, 0}
    end
    if now < until_ms or now < probe_until then return {0, generation, 0} end
    keep('state', 'half_open', 'probe', ARGV[2], 'probe_until_ms', now + tonumber(ARGV[3]))
    return {1, generation, 0}
elseif ARGV[1] == 'force' then
    if ARGV[2] == 'close' then return close() end
    keep('state', 'forced_open', 'generation', generation + 1, 'reason', 'operator', 'since_ms', now)
    return {1, 'forced_open'}
end

local outcome, asked = ARGV[4], tonumber(ARGV[6])
-- A result of a call that began before the last change tells nothing about now.
if tonumber(ARGV[3]) ~= generation or state == 'forced_open' or state == 'open' then return {0, state} end
local wait = math.min(tonumber(ARGV[15]) * 2 ^ opened, tonumber(ARGV[16])) * (0.8 + 0.4 * tonumber(ARGV[7]))
wait = math.max(wait, asked)

if state == 'half_open' then
    if probe ~= ARGV[2] then return {0, state} end
    if outcome == 'failure' then return open(wait, ARGV[8]) end
    if outcome == 'success' and successes + 1 >= 2 then return close() end
    keep('successes', successes + (outcome == 'success' and 1 or 0), 'probe_until_ms', 0)
    return {0, state}
end

if outcome == 'ignore' then return {0, state} end
if ARGV[17] == '1' then return open(wait, ARGV[8]) end
local window, buckets = tonumber(ARGV[9]), tonumber(ARGV[10])
local bucket = math.floor(now / (window / buckets))
redis.call('HINCRBY', samples, bucket .. ':calls', 1)
if outcome == 'failure' then redis.call('HINCRBY', samples, bucket .. ':failures', 1) end
if ARGV[5] == '1' then redis.call('HINCRBY', samples, bucket .. ':slow', 1) end
redis.call('PEXPIRE', samples, window * 2)
failures = outcome == 'failure' and failures + 1 or 0
keep('failures', failures)
if failures >= tonumber(ARGV[11]) then return open(wait, ARGV[8]) end

local sums = {calls = 0, failures = 0, slow = 0}
local all = redis.call('HGETALL', samples)
for i = 1, #all, 2 do
    local at, kind = string.match(all[i], '^(%d+):(%a+)$')
    if tonumber(at) <= bucket - buckets then
        redis.call('HDEL', samples, all[i])
    else
        sums[kind] = sums[kind] + tonumber(all[i + 1])
    end
end
if sums.calls >= tonumber(ARGV[12]) then
    if sums.failures / sums.calls >= tonumber(ARGV[13]) then return open(wait, 'failure rate') end
    if sums.slow / sums.calls >= tonumber(ARGV[14]) then return open(wait, 'slow calls') end
end
return {0, state}

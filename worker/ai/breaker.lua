-- Circuit breaker of one provider, on Redis's own clock.
-- KEYS[1] ai_circuit:{provider}  hash: state closed|open|half_open|forced, failures (consecutive), opened (how often in
--         a row), until_ms (end of the open time), probe and probe_until_ms (who may probe), generation, trips
-- ARGV[1] "allow":   ARGV[2] id of the caller, ARGV[3] ms a probe may take -> {allowed 0|1, generation}
--         "success": ARGV[2] generation -> {changed 0|1, state}
--         "failure": ARGV[2] generation, ARGV[3] threshold, ARGV[4] ms open the first time, ARGV[5] ms at most,
--                    ARGV[6] ms the provider asked for (0: none) -> {changed 0|1, state}
local key = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local circuit = redis.call('HMGET', key, 'state', 'failures', 'opened', 'until_ms', 'probe_until_ms', 'generation')
local state = circuit[1] or 'closed'
local failures, opened = tonumber(circuit[2] or 0), tonumber(circuit[3] or 0)
local until_ms, probe_until = tonumber(circuit[4] or 0), tonumber(circuit[5] or 0)
local generation = tonumber(circuit[6] or 0)

local function keep(...)
    redis.call('HSET', key, ...)
    redis.call('PEXPIRE', key, 86400000)
end

if ARGV[1] == 'allow' then
    if state == 'closed' then
        return {1, generation}
    end
    if state == 'forced' or now < until_ms or (state == 'half_open' and now < probe_until) then
        return {0, generation}
    end
    keep('state', 'half_open', 'probe', ARGV[2], 'probe_until_ms', now + tonumber(ARGV[3]))
    return {1, generation}
end
-- A result of a call that began before the last opening tells nothing about now.
if state == 'forced' or tonumber(ARGV[2]) ~= generation then
    return {0, state}
end
if ARGV[1] == 'success' then
    if state == 'closed' then
        if failures > 0 then keep('failures', 0) end
        return {0, state}
    end
    keep('state', 'closed', 'failures', 0, 'opened', 0, 'generation', generation + 1)
    return {1, 'closed'}
end
failures = failures + 1
local asked = tonumber(ARGV[6])
if state == 'closed' and failures < tonumber(ARGV[3]) and asked == 0 then
    keep('failures', failures)
    return {0, state}
end
local wait = math.min(tonumber(ARGV[4]) * 2 ^ opened, tonumber(ARGV[5]))
keep('state', 'open', 'failures', failures, 'opened', opened + 1, 'until_ms', now + math.max(wait, asked),
     'generation', generation + 1)
redis.call('HINCRBY', key, 'trips', 1)
return {1, 'open'}

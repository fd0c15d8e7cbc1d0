-- Circuit breakers of one provider and of its models, shared by the whole fleet, on Redis's own clock. A provider's
-- circuit counts failures; a model's opens when the model cannot be asked at all, and stays open for hours.
-- KEYS[1] ai_circuit:{provider}          hash: state closed|open|half_open|forced_open, failures (in a row), opened (how
--         often in a row), until_ms (end of the open time), successes (while half-open), probe and probe_until_ms (who
--         may probe, until when), generation (grows with every change), trips (how often opened), reason, since_ms
-- KEYS[2] ai_circuit:{provider}:samples  hash: "{bucket}:calls|failures|slow", the time window in buckets
-- KEYS[3..] ai_circuit:{provider}:{model}  hash: state, opened, until_ms, probe, probe_until_ms, generation, trips, reason,
--         since_ms as above; told (the provider's sentence), unclear (hashes of customers whose refusals in a row did
--         not say whether the message or the model was their reason)
-- ARGV[1] "permit":  ARGV[2] caller, ARGV[3] ms a probe may take, ARGV[4] 0: no half-open provider; KEYS[3..]: models in
--                    order of preference
--                    -> {permitted 0|1, generation, healthy 0|1, place of the model (0: none), its generation,
--                        clean 0|1 (nothing is held against the model), probing 0|1, ms to wait, reason}
--         "record":  ARGV[2] caller, ARGV[3] generation, ARGV[4] "success"|"failure"|"ignore", ARGV[5] slow 0|1,
--                    ARGV[6] ms to stay open at least (0: as usual), ARGV[7] jitter 0..1, ARGV[8] reason,
--                    ARGV[9..16] limits: window ms, buckets, failures in a row, least calls, failure rate, slow rate,
--                    ms open at first, ms open at most, ARGV[17] 1: opens whatever the counters say
--                                                                          -> {changed 0|1, state}
--         "model":   KEYS[3] the model; ARGV[2] caller, ARGV[3] its generation, ARGV[4] "success"|"gone"|"unclear"|"ignore",
--                    ARGV[5] reason, ARGV[6] told, ARGV[7] hash of the customer, ARGV[8] how many of them open it,
--                    ARGV[9] ms open at first, ARGV[10] ms open at most    -> {changed 0|1, state}
--         "probed":  KEYS[3] the model; ARGV[2] "success"|"gone", ARGV[3] reason, ARGV[4] told, ARGV[5], ARGV[6] as above
--                    ARGV[9], ARGV[10]                                     -> {changed 0|1, state}
--         "force":   ARGV[2] "open"|"close"; KEYS[3], where given, is meant instead of the provider
--                                                                          -> {changed 0|1, state}
local circuit, samples = KEYS[1], KEYS[2]
local TTL_MS = 7 * 86400000
-- Another caller probes: how long that may take is not known, and a look now and then costs little.
local PROBED_MS = 300
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

local function model_at(key)
    local f = redis.call('HMGET', key, 'state', 'opened', 'until_ms', 'probe', 'probe_until_ms', 'generation', 'unclear')
    return {key = key, state = f[1] or 'closed', opened = tonumber(f[2] or 0), until_ms = tonumber(f[3] or 0),
            probe = f[4], probe_until = tonumber(f[5] or 0), generation = tonumber(f[6] or 0), unclear = f[7] or ''}
end

local function keep_model(model, ...)
    redis.call('HSET', model.key, ...)
    redis.call('PEXPIRE', model.key, TTL_MS)
end

local function open_model(model, first_ms, most_ms, reason, told)
    keep_model(model, 'state', 'open', 'opened', model.opened + 1, 'unclear', '', 'probe_until_ms', 0, 'reason', reason,
               'until_ms', now + math.min(tonumber(first_ms) * 2 ^ model.opened, tonumber(most_ms)), 'told', told,
               'generation', model.generation + 1, 'since_ms', now)
    redis.call('HINCRBY', model.key, 'trips', 1)
    return {1, 'open'}
end

local function close_model(model)
    keep_model(model, 'state', 'closed', 'opened', 0, 'unclear', '', 'until_ms', 0, 'probe_until_ms', 0, 'reason', '',
               'told', '', 'generation', model.generation + 1, 'since_ms', now)
    return {1, 'closed'}
end

-- The first model that may be asked, its place, and whether asking it is a probe.
local function choose()
    for i = 3, #KEYS do
        local model = model_at(KEYS[i])
        if model.state == 'closed' then return model, i - 2, false end
        if model.state == 'forced_open' then
            redis.call('PEXPIRE', model.key, TTL_MS)
        elseif now >= model.until_ms and now >= model.probe_until then
            return model, i - 2, true
        end
    end
end

if ARGV[1] == 'permit' then
    local reason = redis.call('HGET', circuit, 'reason') or ''
    local refused = {0, generation, 0, 0, 0, 0, 0, now < until_ms and until_ms - now or PROBED_MS, reason}
    if state == 'forced_open' then
        -- Not even time closes it, as long as somebody asks for it now and then.
        redis.call('PEXPIRE', circuit, TTL_MS)
        return {0, generation, 0, 0, 0, 0, 0, -1, reason}
    end
    local half_open = state ~= 'closed'
    if half_open and (now < until_ms or now < probe_until or ARGV[4] == '0') then return refused end
    local model, place, probing = choose()
    if #KEYS > 2 and not model then return {0, generation, 0, 0, 0, 0, 0, -1, 'no model'} end
    if half_open then keep('state', 'half_open', 'probe', ARGV[2], 'probe_until_ms', now + tonumber(ARGV[3])) end
    if probing then
        keep_model(model, 'state', 'half_open', 'probe', ARGV[2], 'probe_until_ms', now + tonumber(ARGV[3]))
    end
    local healthy = not half_open and failures == 0 and 1 or 0
    local clean = model and not probing and model.unclear == '' and 1 or 0
    return {1, generation, healthy, place or 0, model and model.generation or 0, clean, (half_open or probing) and 1 or 0,
            0, ''}
elseif ARGV[1] == 'force' and #KEYS > 2 then
    local model = model_at(KEYS[3])
    if ARGV[2] == 'close' then return close_model(model) end
    keep_model(model, 'state', 'forced_open', 'generation', model.generation + 1, 'reason', 'operator', 'since_ms', now)
    return {1, 'forced_open'}
elseif ARGV[1] == 'force' then
    if ARGV[2] == 'close' then return close() end
    keep('state', 'forced_open', 'generation', generation + 1, 'reason', 'operator', 'since_ms', now)
    return {1, 'forced_open'}
elseif ARGV[1] == 'probed' then
    local model = model_at(KEYS[3])
    local shut = model.state == 'open' or model.state == 'half_open'
    if model.state == 'forced_open' then redis.call('PEXPIRE', model.key, TTL_MS) end
    if ARGV[2] == 'success' and shut then return close_model(model) end
    if ARGV[2] == 'gone' and (model.state == 'closed' or model.state == 'half_open') then
        return open_model(model, ARGV[5], ARGV[6], ARGV[3], ARGV[4])
    end
    return {0, model.state}
elseif ARGV[1] == 'model' then
    local model, what = model_at(KEYS[3]), ARGV[4]
    if tonumber(ARGV[3]) ~= model.generation or model.state == 'forced_open' or model.state == 'open' then
        return {0, model.state}
    end
    local probes = model.state == 'half_open' and model.probe == ARGV[2]
    if what == 'gone' or (what == 'unclear' and probes) then
        return open_model(model, ARGV[9], ARGV[10], ARGV[5], ARGV[6])
    end
    if what == 'success' and model.state == 'half_open' then return close_model(model) end
    if what == 'success' and model.unclear ~= '' then keep_model(model, 'unclear', '') end
    if what == 'ignore' and probes then keep_model(model, 'probe_until_ms', 0) end
    if what ~= 'unclear' or string.find(model.unclear, ARGV[7], 1, true) then return {0, model.state} end
    local unclear = model.unclear .. ARGV[7] .. ' '
    if #unclear >= tonumber(ARGV[8]) * (#ARGV[7] + 1) then
        return open_model(model, ARGV[9], ARGV[10], ARGV[5], ARGV[6])
    end
    keep_model(model, 'unclear', unclear)
    return {0, model.state}
end

local outcome, asked = ARGV[4], tonumber(ARGV[6])
-- A result of a call that began before the last change tells nothing about now.
if tonumber(ARGV[3]) ~= generation or state == 'forced_open' or state == 'open' then return {0, state} end
local wait = math.min(tonumber(ARGV[15]) * 2 ^ opened, tonumber(ARGV[16])) * (0.8 + 0.4 * tonumber(ARGV[7]))
-- A provider that names its wait is asked again just then: nothing is gained by waiting longer.
wait = ARGV[17] == '1' and asked or math.max(wait, asked)

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

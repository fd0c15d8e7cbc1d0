-- Circuit breakers of one provider and of its models, shared by the whole fleet, on Redis's own clock. A provider's
-- circuit counts failures; a model's opens when the model cannot be asked at all, and stays open for hours.
-- KEYS[1] ai_circuit:{provider}          hash: state closed|open|half_open|forced_open, failures (in a row), opened (how
--         often in a row), until_ms (end of the open time), successes (while half-open), probe and probe_until_ms (who
--         may probe, until when), generation (grows with every change), trips (how often opened), reason, since_ms
-- KEYS[2] ai_circuit:{provider}:samples  hash: "{bucket}:calls|failures|slow", the time window in buckets
-- KEYS[3..] ai_circuit:{provider}:{model}  hash: state, opened, until_ms, probe, probe_until_ms, generation, trips, reason,
--         since_ms as above; told (the provider's sentence), unclear (hashes of customers whose refusals in a row did
--         not say whether the message or the model was their reason)
-- ARGV[1] action, ARGV[2] report, ARGV[3] limits (`circuit_rules.CircuitLimits`), both JSON. A report has provider, and by
--         action:
--         "permit":  caller, models (ids of KEYS[3..], in order of preference), probe (false: no half-open provider),
--                    probe_ms (how long one may take)           -> JSON of `circuit_rules.Permit` or `PermitRefusal`
--         "record":  caller, generation, outcome "success"|"failure"|"ignore", slow, asked_ms (stay open at least; 0: as
--                    usual), at_once (opens whatever the counters say), jitter 0..1, reason; where KEYS[3] is given, also
--                    model, model_generation, model_outcome "success"|"gone"|"unclear"|"ignore", model_reason, told and
--                    customer (hash)
--         "probed":  KEYS[3] with model, model_outcome "success"|"gone", model_reason, told
--         "force":   outcome "open"|"close"; KEYS[3] with model, where given, is meant instead of the provider
--         -> "", or JSON of the changes made: [[provider, model (""), state, reason, told]]
local circuit, samples = KEYS[1], KEYS[2]
local report, limits, changes = cjson.decode(ARGV[2]), cjson.decode(ARGV[3]), {}
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

local function changed(model, new_state, reason, told)
    changes[#changes + 1] = {report.provider, model, new_state, reason, told}
end

local function open(wait_ms, reason)
    keep('state', 'open', 'opened', opened + 1, 'until_ms', now + math.floor(wait_ms), 'failures', 0, 'successes', 0,
         'probe_until_ms', 0, 'generation', generation + 1, 'reason', reason, 'since_ms', now)
    redis.call('HINCRBY', circuit, 'trips', 1)
    redis.call('DEL', samples)
    changed('', 'open', report.reason, '')
end

local function close()
    keep('state', 'closed', 'opened', 0, 'failures', 0, 'successes', 0, 'until_ms', 0, 'probe_until_ms', 0,
         'generation', generation + 1, 'reason', '', 'since_ms', now)
    redis.call('DEL', samples)
    changed('', 'closed', report.reason or '', '')
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

local function open_model(model)
    local wait = math.min(limits.model_open_ms * 2 ^ model.opened, limits.model_open_max_ms)
    keep_model(model, 'state', 'open', 'opened', model.opened + 1, 'unclear', '', 'probe_until_ms', 0, 'until_ms', now + wait,
               'reason', report.model_reason, 'told', report.told, 'generation', model.generation + 1, 'since_ms', now)
    redis.call('HINCRBY', model.key, 'trips', 1)
    changed(report.model, 'open', report.model_reason, report.told)
end

local function close_model(model)
    keep_model(model, 'state', 'closed', 'opened', 0, 'unclear', '', 'until_ms', 0, 'probe_until_ms', 0, 'reason', '',
               'told', '', 'generation', model.generation + 1, 'since_ms', now)
    changed(report.model, 'closed', '', '')
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

local function permit()
    local reason = redis.call('HGET', circuit, 'reason') or ''
    if state == 'forced_open' then
        -- Not even time closes it, as long as somebody asks for it now and then.
        redis.call('PEXPIRE', circuit, TTL_MS)
        return {type = 'refusal', reason = reason}
    end
    local half_open = state ~= 'closed'
    if half_open and (now < until_ms or now < probe_until or not report.probe) then
        local wait_ms = now < until_ms and until_ms - now or PROBED_MS
        return {type = 'refusal', reason = reason, wait_s = wait_ms / 1000}
    end
    local model, place, probing = choose()
    if #KEYS > 2 and not model then return {type = 'refusal', reason = 'no model'} end
    local probed_until = now + report.probe_ms
    if half_open then keep('state', 'half_open', 'probe', report.caller, 'probe_until_ms', probed_until) end
    if probing then keep_model(model, 'state', 'half_open', 'probe', report.caller, 'probe_until_ms', probed_until) end
    return {type = 'permit', provider = report.provider, caller = report.caller, generation = generation,
            healthy = not half_open and failures == 0, model = model and report.models[place] or '',
            model_generation = model and model.generation or 0, clean = not model or (not probing and model.unclear == ''),
            probing = half_open or probing or false}
end

local function force()
    local model = #KEYS > 2 and model_at(KEYS[3])
    if report.outcome == 'close' then
        if model then close_model(model) else close() end
        return
    end
    if model then
        keep_model(model, 'state', 'forced_open', 'generation', model.generation + 1, 'reason', 'operator', 'since_ms', now)
    else
        keep('state', 'forced_open', 'generation', generation + 1, 'reason', 'operator', 'since_ms', now)
    end
    changed(model and report.model or '', 'forced_open', 'operator', '')
end

local function model_probed(model)
    if model.state == 'forced_open' then redis.call('PEXPIRE', model.key, TTL_MS) end
    local shut = model.state == 'open' or model.state == 'half_open'
    local asked = model.state == 'closed' or model.state == 'half_open'
    if report.model_outcome == 'success' and shut then close_model(model) end
    if report.model_outcome == 'gone' and asked then open_model(model) end
end

local function record_model(model)
    local what = report.model_outcome
    if report.model_generation ~= model.generation or model.state == 'forced_open' or model.state == 'open' then return end
    local probes = model.state == 'half_open' and model.probe == report.caller
    if what == 'gone' or (what == 'unclear' and probes) then return open_model(model) end
    if what == 'success' and model.state == 'half_open' then return close_model(model) end
    if what == 'success' and model.unclear ~= '' then keep_model(model, 'unclear', '') end
    if what == 'ignore' and probes then keep_model(model, 'probe_until_ms', 0) end
    if what ~= 'unclear' or string.find(model.unclear, report.customer, 1, true) then return end
    local unclear = model.unclear .. report.customer .. ' '
    if #unclear >= limits.unclear_customers * (#report.customer + 1) then return open_model(model) end
    keep_model(model, 'unclear', unclear)
end

-- Sums of the samples in the time window; older ones go.
local function sums_until(bucket)
    local sums = {calls = 0, failures = 0, slow = 0}
    local all = redis.call('HGETALL', samples)
    for i = 1, #all, 2 do
        local at, kind = string.match(all[i], '^(%d+):(%a+)$')
        if tonumber(at) <= bucket - limits.buckets then
            redis.call('HDEL', samples, all[i])
        else
            sums[kind] = sums[kind] + tonumber(all[i + 1])
        end
    end
    return sums
end

local function record()
    local outcome = report.outcome
    -- A result of a call that began before the last change tells nothing about now.
    if report.generation ~= generation or state == 'forced_open' or state == 'open' then return end
    local wait = math.min(limits.open_ms * 2 ^ opened, limits.open_max_ms) * (0.8 + 0.4 * report.jitter)
    -- A provider that names its wait is asked again just then: nothing is gained by waiting longer.
    wait = report.at_once and report.asked_ms or math.max(wait, report.asked_ms)

    if state == 'half_open' then
        if probe ~= report.caller then return end
        if outcome == 'failure' then return open(wait, report.reason) end
        if outcome == 'success' and successes + 1 >= 2 then return close() end
        return keep('successes', successes + (outcome == 'success' and 1 or 0), 'probe_until_ms', 0)
    end

    if outcome == 'ignore' then return end
    if report.at_once then return open(wait, report.reason) end
    local bucket = math.floor(now / (limits.window_ms / limits.buckets))
    redis.call('HINCRBY', samples, bucket .. ':calls', 1)
    if outcome == 'failure' then redis.call('HINCRBY', samples, bucket .. ':failures', 1) end
    if report.slow then redis.call('HINCRBY', samples, bucket .. ':slow', 1) end
    redis.call('PEXPIRE', samples, limits.window_ms * 2)
    failures = outcome == 'failure' and failures + 1 or 0
    keep('failures', failures)
    if failures >= limits.failures_in_a_row then return open(wait, report.reason) end

    local sums = sums_until(bucket)
    if sums.calls < limits.least_calls then return end
    if sums.failures / sums.calls >= limits.failure_rate then return open(wait, 'failure rate') end
    if sums.slow / sums.calls >= limits.slow_rate then return open(wait, 'slow calls') end
end

local action = ARGV[1]
if action == 'permit' then return cjson.encode(permit()) end
if action == 'force' then force() end
if action == 'record' then record() end
if action == 'record' and #KEYS > 2 then record_model(model_at(KEYS[3])) end
if action == 'probed' then model_probed(model_at(KEYS[3])) end
return #changes > 0 and cjson.encode(changes) or ''

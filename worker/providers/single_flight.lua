-- Single flight: one caller per reply cache key asks a provider, the others wait for its answer.
-- KEYS[1] flight:{key}  string: "L" .. token of the leader, or "R" .. the result as JSON
-- KEYS[2] parked:{key}  list: the turns (JSON) that wait for the leader
-- ARGV[1] "join" | "hold" | "end"
-- join: ARGV[2] token, ARGV[3] turn (JSON; empty: nobody waits), ARGV[4] ms until the leader's lease ends, ARGV[5] ms to
--       keep the list -> {"result", json} | {"lead"} | {"parked"} | {"busy"} (another leads, and nobody waits)
-- hold: ARGV[2] token, ARGV[3] ms until the leader's lease ends -> 1 where the token leads, else 0
-- end:  of as many flights as there are pairs of keys. ARGV[2] ms to keep results, then of each flight its token and
--       "R" .. result (JSON), or "" where it brought none -> of each flight the turns that were parked for it; where it
--       brought none and another leads by now, nothing

if ARGV[1] == 'join' then
    local now = redis.call('GET', KEYS[1])
    if now and string.sub(now, 1, 1) == 'R' then
        return {'result', string.sub(now, 2)}
    end
    if not now or now == 'L' .. ARGV[2] then
        redis.call('SET', KEYS[1], 'L' .. ARGV[2], 'PX', ARGV[4])
        return {'lead'}
    end
    if ARGV[3] == '' then return {'busy'} end
    redis.call('RPUSH', KEYS[2], ARGV[3])
    redis.call('PEXPIRE', KEYS[2], ARGV[5])
    return {'parked'}
end

if ARGV[1] == 'hold' then
    if redis.call('GET', KEYS[1]) ~= 'L' .. ARGV[2] then return 0 end
    return redis.call('PEXPIRE', KEYS[1], ARGV[3])
end

local function ended(flight, token, result)
    if result ~= '' then
        redis.call('SET', flight, result, 'PX', ARGV[2])
    elseif redis.call('GET', flight) == 'L' .. token then
        redis.call('DEL', flight)
    else
        return false
    end
    return true
end

local freed = {}
for i = 1, #KEYS, 2 do
    local turns = {}
    if ended(KEYS[i], ARGV[i + 2], ARGV[i + 3]) then
        turns = redis.call('LRANGE', KEYS[i + 1], 0, -1)
        redis.call('DEL', KEYS[i + 1])
    end
    freed[#freed + 1] = turns
end
return freed

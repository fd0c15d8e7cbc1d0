-- Single flight: one caller per reply cache key asks a provider, the others wait for its answer.
-- KEYS[1] flight:{key}  string: "L" .. token of the leader, or "R" .. the result as JSON
-- KEYS[2] parked:{key}  list: the turns (JSON) that wait for the leader
-- ARGV[1] "join" | "land" | "give_up"
-- join:    ARGV[2] token, ARGV[3] turn (JSON), ARGV[4] ms until the leader's lease ends, ARGV[5] ms to keep the list
--          -> {"result", json} | {"lead"} | {"parked"}
-- land:    ARGV[2] result (JSON), ARGV[3] ms to keep it -> the parked turns
-- give_up: ARGV[2] token -> the parked turns if this token still leads, nothing otherwise
local flight, parked = KEYS[1], KEYS[2]

local function take_parked()
    local turns = redis.call('LRANGE', parked, 0, -1)
    redis.call('DEL', parked)
    return turns
end

if ARGV[1] == 'join' then
    local now = redis.call('GET', flight)
    if now and string.sub(now, 1, 1) == 'R' then
        return {'result', string.sub(now, 2)}
    end
    if not now or now == 'L' .. ARGV[2] then
        redis.call('SET', flight, 'L' .. ARGV[2], 'PX', ARGV[4])
        return {'lead'}
    end
    redis.call('RPUSH', parked, ARGV[3])
    redis.call('PEXPIRE', parked, ARGV[5])
    return {'parked'}
elseif ARGV[1] == 'land' then
    redis.call('SET', flight, 'R' .. ARGV[2], 'PX', ARGV[3])
    return take_parked()
end
if redis.call('GET', flight) == 'L' .. ARGV[2] then
    redis.call('DEL', flight)
    return take_parked()
end
return {}

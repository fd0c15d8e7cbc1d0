-- Lease of one thing among processes of which one is active.
-- KEYS[1] lease:{thing}  string: token of the process that is active; it expires where that one renews it no more
-- ARGV[1] "take" or "drop", ARGV[2] token, ARGV[3] ms for which it is taken
-- -> 1: it is this process's now, or was until it has dropped it; 0: it is another's
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[2] then
    return 0
end
if ARGV[1] == 'take' then
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
else
    redis.call('DEL', KEYS[1])
end
return 1

-- Counts once more; a counter lives from its first count on.
-- KEYS[1] the counter (string); ARGV[1] its time to live in seconds
-- -> the count
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return count

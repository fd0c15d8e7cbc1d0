-- Publishes replies, or events of orders, to their stream, each id once, in the order given.
-- KEYS[1] whatsapp:outbound or whatsapp:orders (stream); KEYS[2] metrics:redis_run_id (string); KEYS[3..]
-- published:{reply_id} or published:order:{event_id} (string, says that it is in the stream)
-- ARGV[1] seconds to remember an id; ARGV[2] 'sweep' or ''; ARGV[3..] the payloads, one per KEYS[3..]
-- -> how many were new; -1 and nothing done where Redis has restarted and the sweep has not yet put back what was lost
local known = redis.call('GET', KEYS[2])
if known and ARGV[2] ~= 'sweep' and known ~= string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') then
    return -1
end
local new = 0
for i = 3, #KEYS do
    if redis.call('SET', KEYS[i], '1', 'NX', 'EX', ARGV[1]) then
        redis.call('XADD', KEYS[1], '*', 'payload', ARGV[i])
        new = new + 1
    end
end
return new

-- Publishes replies to the outbound stream, each reply id once, in the order given.
-- KEYS[1] whatsapp:outbound (stream); KEYS[2..] published:{reply_id} (string, says that the reply is in the stream)
-- ARGV[1] seconds to remember a reply id; ARGV[2..] the payloads, one per KEYS[2..]
-- -> how many were new
local new = 0
for i = 2, #KEYS do
    if redis.call('SET', KEYS[i], '1', 'NX', 'EX', ARGV[1]) then
        redis.call('XADD', KEYS[1], '*', 'payload', ARGV[i])
        new = new + 1
    end
end
return new

-- Keeps a refused payload in its stream, once for each entry that it came with.
-- KEYS[1] whatsapp:rejected (stream); KEYS[2] refused:{entry}:{number} (string, says that it is in the stream)
-- ARGV[1] payload; ARGV[2] reason; ARGV[3] entries to keep, about; ARGV[4] seconds to remember the entry
-- -> 1, or 0 where it was kept before
if not redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[4]) then return 0 end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'payload', ARGV[1], 'reason', ARGV[2])
return 1

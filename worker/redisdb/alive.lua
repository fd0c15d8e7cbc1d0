-- Notes that the run of Redis for which the sweep last cared still goes on. Whatever was written before the note was
-- kept, or copied, before it: a server that has the note has that too.
-- KEYS[1] metrics:redis_run_id (string); KEYS[2] metrics:redis_seen_at (string, seconds since 1970)
-- ARGV[1] now, in seconds since 1970; ARGV[2] seconds for which both are kept
-- -> {} | {id of another run, its uptime in seconds, when the known run was last seen to go on ('': never)}
local server = redis.call('INFO', 'server')
local run_id = string.match(server, 'run_id:(%w+)')
if redis.call('GET', KEYS[1]) ~= run_id then
    return {run_id, string.match(server, 'uptime_in_seconds:(%d+)'), redis.call('GET', KEYS[2]) or ''}
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
return {}

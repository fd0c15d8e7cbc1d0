-- Deletes the results of single flights, and no lead that is under way.
-- KEYS: flight:{key} (string) of any number; one that holds a result begins with "R"
-- -> how many
local gone = 0
for _, key in ipairs(KEYS) do
    if redis.call('GETRANGE', key, 0, 0) == 'R' then gone = gone + redis.call('DEL', key) end
end
return gone

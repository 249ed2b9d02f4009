-- Records for a consumer: first its own that were never acknowledged, then new ones. Makes group and stream if need be.
-- KEYS[1] stream
-- ARGV    group, consumer, count, '1' where the caller has told of what is gone
-- Answer  {gone, newest id, {{id, deliveries, {field, value, ...}}, ...}}. Gone: records that went by the stream's length
--         before the group had them, or while this consumer had them; then nothing is handed out until that was told.
local group, consumer, count, told = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1'

local function named(flat)
  local fields = {}
  for i = 1, #flat, 2 do
    fields[flat[i]] = flat[i + 1]
  end
  return fields
end

local function parts(id)
  local ms, number = string.match(id, '(%d+)-(%d+)')
  return tonumber(ms), tonumber(number)
end

local function is_before(one, other)
  local ms, number = parts(one)
  local other_ms, other_number = parts(other)
  return ms < other_ms or (ms == other_ms and number < other_number)
end

local function just_before(id)
  local ms, number = parts(id)
  if number > 0 then
    return string.format('%.0f-%.0f', ms, number - 1)
  end
  return string.format('%.0f-18446744073709551615', ms - 1)
end

local function own_group()
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local each = named(flat)
    if each['name'] == group then
      return each
    end
  end
  return nil
end

local stream = redis.pcall('XINFO', 'STREAM', KEYS[1])
if stream.err and not string.find(stream.err, 'no such key', 1, true) then
  return stream
end
local trimmed, at = 0, nil
if not stream.err then
  stream = named(stream)
  trimmed = stream['entries-added'] - stream['length']
  at = own_group()
end
-- A server without room makes no group, and lets one that is there be read. One that is made now begins with what is
-- there: it never had what went before.
if not at then
  local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], group, '0', 'MKSTREAM', 'ENTRIESREAD', trimmed)
  if type(made) == 'table' and made.err then
    return made
  end
  stream = named(redis.call('XINFO', 'STREAM', KEYS[1]))
  at = own_group()
end
local newest = stream['last-generated-id']
local behind = newest
if stream['length'] > 0 then
  behind = just_before(stream['recorded-first-entry-id'])
end
local gone = 0
if trimmed > 0 and is_before(at['last-delivered-id'], behind) then
  local had = at['entries-read'] -- not known of a group that somebody else has made or moved
  gone = had and math.max(trimmed - had, 0) or 1
end

local answer, lost = {}, {}
local own = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', KEYS[1], '0')
for _, record in ipairs(own and own[1][2] or {}) do
  local id, fields = record[1], record[2]
  if fields then
    local pending = redis.call('XPENDING', KEYS[1], group, id, id, 1)
    answer[#answer + 1] = {id, pending[1] and pending[1][4] or 1, fields}
  else
    lost[#lost + 1] = id
  end
end
if gone + #lost > 0 then
  if not told then
    return {gone + #lost, newest, {}}
  end
  if gone > 0 then
    redis.call('XGROUP', 'SETID', KEYS[1], group, behind, 'ENTRIESREAD', trimmed)
  end
  for _, id in ipairs(lost) do
    redis.call('XACK', KEYS[1], group, id)
  end
end
if #answer < count then
  local new = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count - #answer, 'STREAMS', KEYS[1], '>')
  for _, record in ipairs(new and new[1][2] or {}) do
    answer[#answer + 1] = {record[1], 1, record[2]}
  end
end
return {0, newest, answer}

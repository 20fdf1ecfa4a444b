#pragma once

#include <string_view>

/// What the sweep asks for; each after kScriptCommon (redis_script_common.hpp), whose rules hold.
namespace signalbox {

inline constexpr std::string_view kHeldScript = R"lua(
local claims, slots, helds = KEYS[1], KEYS[2], KEYS[3]
local limit, reads_results = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = now_ms()
local flat = redis.call('HGETALL', slots)
local waiting = {}
for i = 1, #flat, 2 do
  local number = string.match(flat[i + 1], '^%d+')
  if number then
    waiting[#waiting + 1] = {pair = flat[i], number = number, order = tonumber(number)}
  end
end
table.sort(waiting, function(a, b) return a.order < b.order end)
local chosen, numbers = {}, {}
local STEP = 500
for first = 1, #waiting, STEP do
  if #chosen >= limit then break end
  local names = {}
  for i = first, math.min(first + STEP - 1, #waiting) do names[#names + 1] = waiting[i].pair end
  local open = open_pairs(claims, names, now, reads_results)
  for i = 1, #names do
    if not open[i] and #chosen < limit then
      chosen[#chosen + 1] = waiting[first + i - 1]
      numbers[#numbers + 1] = waiting[first + i - 1].number
    end
  end
end
local contents = #numbers > 0 and get_all(helds, numbers) or {}
local reply = {}
for i = 1, #chosen do
  local was = read_held(contents[i]) or {key = '', logged = '0'}
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] =
      chosen[i].pair, chosen[i].number, was.logged, was.key
end
return reply
)lua";

inline constexpr std::string_view kSettleScript = R"lua(
local meta = cmsgpack.unpack(ARGV[1])
local basis, tolerance, lifetime, n = meta[1], meta[2], meta[3], meta[4]
local is_shadow, reads_results = meta[5], meta[6]
local limits = {segment_bytes = meta[7], segment_entries = meta[8], segments = meta[9],
                bytes = meta[10]}
local database, expires = ARGV[2], ARGV[3]
local claims, slots, helds, state_key, outcomes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local now = now_ms()
for i = 1, 4 do
  local wrong = wrong_type(KEYS[i], 'hash')
  if wrong then return wrong end
end
local wrong = wrong_type(outcomes, 'stream') or wrong_type(KEYS[6], 'list') or
    wrong_type(KEYS[7], 'list')
if wrong then return wrong end
if math.abs(now - basis) > tolerance then return {'clock', int(now)} end

local names, numbers, number_of = {}, {}, {}
for i = 1, n do
  names[i], numbers[i] = ARGV[3 * i + 1], ARGV[3 * i + 2]
end
local state = read_state(state_key)
local open = open_pairs(claims, names, now, reads_results)
local texts = get_all(slots, names)
local contents = get_all(helds, numbers)
local lines, is_claimed, touched = {}, {}, {}
local new_claims, pushes, gone_helds = {}, {{}, {}}, {}
local letters, recorded, json, enqueued = {}, {}, {}, {}
for i = 1, n do
  local name, letter = names[i], ARGV[3 * i + 3]
  local line = lines[name] or read_line(texts[i])
  lines[name] = line
  local place
  for k = 1, #line do
    if line[k].number == numbers[i] then place = k end
  end
  local was = read_held(contents[i])
  if not place then
    letter = 'H'
  elseif letter == 'E' and (place > 1 or open[i] or is_claimed[name]) then
    letter = 'H'
  elseif letter == 'E' and not was then
    letter = 'X'
  end
  if letter ~= 'H' then
    state.held_bytes = math.max(0, state.held_bytes - line[place].bytes)
    table.remove(line, place)
    touched[name] = true
    gone_helds[#gone_helds + 1] = numbers[i]
    recorded[#recorded + 1] = letter
    json[#json + 1] = cjson.encode({was and was.key or '', name})
    if letter == 'E' then
      is_claimed[name] = true
      new_claims[#new_claims + 1] = name
      new_claims[#new_claims + 1] = was.task .. ' ' .. int(now + lifetime) .. ' ' .. database ..
          ' ' .. int(now)
      local first = was.element_at + was.expires_at
      local list = pushes[was.queue]
      list[#list + 1] = string.sub(contents[i], was.element_at, first - 1) .. expires ..
          string.sub(contents[i], first + #expires)
      enqueued[#enqueued + 1] = was.task
    end
  end
  letters[i] = letter
end
if #gone_helds == 0 then return {'ok', int(now), table.concat(letters), enqueued, ''} end
local recorded_json, recorded_letters = '[' .. table.concat(json, ',') .. ']', table.concat(recorded)
local plan = plan_entry(state, limits, #recorded_json + #recorded_letters)

write_state(state_key, state)
write_all('HSET', claims, new_claims)
if is_shadow == 0 then
  if reads_results == 1 then forget_results(enqueued) end
  write_all('LPUSH', KEYS[6], pushes[1])
  write_all('LPUSH', KEYS[7], pushes[2])
end
write_all('HDEL', helds, gone_helds)
local slot_values, gone_slots = {}, {}
for name in pairs(touched) do
  if #lines[name] > 0 then
    slot_values[#slot_values + 1] = name
    slot_values[#slot_values + 1] = line_text(lines[name])
  else
    gone_slots[#gone_slots + 1] = name
  end
end
write_all('HSET', slots, slot_values)
write_all('HDEL', slots, gone_slots)
local note = record(outcomes, state_key, plan, recorded_json, recorded_letters)
return {'ok', int(now), table.concat(letters), enqueued, note or ''}
)lua";

/// One step around the claims: drops those that hold nothing any more, answers with the others.
inline constexpr std::string_view kSweepScript = R"lua(
local claims = KEYS[1]
local reads_results = tonumber(ARGV[3])
local now = now_ms()
local found = redis.call('HSCAN', claims, ARGV[1], 'COUNT', ARGV[2])
local flat, names = found[2], {}
for i = 1, #flat, 2 do names[#names + 1] = flat[i] end
local open = #names > 0 and open_pairs(claims, names, now, reads_results) or {}
local reply, gone = {found[1], int(now)}, {}
for i = 1, #names do
  if open[i] then
    reply[#reply + 1] = names[i]
    reply[#reply + 1] = flat[2 * i]
  else
    gone[#gone + 1] = names[i]
  end
end
write_all('HDEL', claims, gone)
return reply
)lua";

inline constexpr std::string_view kReleaseScript = R"lua(
local names, gone = {}, {}
for i = 1, #ARGV, 2 do names[#names + 1] = ARGV[i] end
local values = get_all(KEYS[1], names)
for i = 1, #names do
  local task = ARGV[2 * i]
  if values[i] and string.sub(values[i], 1, #task + 1) == task .. ' ' then
    gone[#gone + 1] = names[i]
  end
end
write_all('HDEL', KEYS[1], gone)
return #gone
)lua";

}  // namespace signalbox

#pragma once

#include <string_view>

/// All of a batch at once; after kScriptCommon (redis_script_common.hpp), whose rules hold here.
namespace signalbox {

inline constexpr std::string_view kClaimScript = R"lua(
local SKIP, LATEST, QUEUE = 0, 1, 2
local meta = cmsgpack.unpack(ARGV[1])
local basis, tolerance, lifetime = meta[1], meta[2], meta[3]
local n_requests, n_pairs, n_digests, n_fences = meta[4], meta[5], meta[6], meta[7]
local is_shadow, reads_results = meta[8], meta[9]
local generation_ms, generation_max, held_max, held_bytes_max = meta[10], meta[11], meta[12], meta[13]
local limits = {segment_bytes = meta[14], segment_entries = meta[15], segments = meta[16],
                bytes = meta[17]}
local first_request = 18
local claims, slots, helds, state_key, outcomes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local now = now_ms()

-- What could fail later.
for i = 1, 4 do
  local wrong = wrong_type(KEYS[i], 'hash')
  if wrong then return wrong end
end
local wrong = wrong_type(outcomes, 'stream')
for i = 6, 9 do wrong = wrong or wrong_type(KEYS[i], 'set') end
for i = 10, 11 do wrong = wrong or wrong_type(KEYS[i], 'list') end
if wrong then return wrong end

-- The arguments, in order.
local at = 5
local pair_names, digests = {}, {}
for i = 1, n_pairs do pair_names[i] = ARGV[at + i - 1] end
at = at + n_pairs
for i = 1, n_digests do digests[i] = ARGV[at + i - 1] end
at = at + n_digests

local moves, gone_cuts = {}, {}
if n_fences > 0 then
  local stored = redis.call('MGET', unpack(KEYS, 12, 11 + 2 * n_fences))
  local stale
  for i = 1, n_fences do
    local expected, next_fence, cut = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    at = at + 3
    local key, cut_key = KEYS[11 + i], KEYS[11 + n_fences + i]
    if not stored[i] then
      local unfit = wrong_type(key, 'string')
      if unfit then return unfit end
    end
    if (stored[i] or '') ~= expected then stale = stale or i end
    moves[#moves + 1] = key
    moves[#moves + 1] = next_fence
    if cut ~= '' then
      moves[#moves + 1] = cut_key
      moves[#moves + 1] = cut
    elseif stored[n_fences + i] then
      gone_cuts[#gone_cuts + 1] = cut_key
    end
  end
  if stale then return {'stale', stale} end
end
if math.abs(now - basis) > tolerance then return {'clock', int(now)} end

local state = read_state(state_key)

-- Signals seen: four generations, the oldest goes when a new one begins.
local cleared, is_cleared = {}, {}
if n_digests > 0 then
  local steps = 0
  if now < state.since then
    state.since = now
  else
    steps = math.floor((now - state.since) / generation_ms)
    if steps >= 4 then
      steps = 4
      state.since = now
    else
      state.since = state.since + steps * generation_ms
    end
  end
  if steps == 0 and redis.call('SCARD', KEYS[6 + state.generation % 4]) >= generation_max then
    steps = 1
    state.since = now
    state.forgotten = state.forgotten + redis.call('SCARD', KEYS[6 + (state.generation + 1) % 4])
  end
  for i = 1, steps do
    local key = KEYS[6 + (state.generation + i) % 4]
    cleared[#cleared + 1] = key
    is_cleared[key] = true
  end
  state.generation = state.generation + steps
end
local duplicate, new_digests = {}, digests
for i = 6, 9 do
  if n_digests > 0 and not is_cleared[KEYS[i]] and redis.call('EXISTS', KEYS[i]) == 1 then
    local members = redis.call('SMISMEMBER', KEYS[i], unpack(digests))
    for d = 1, n_digests do
      if members[d] == 1 then duplicate[d] = true end
    end
  end
end
if next(duplicate) then
  new_digests = {}
  for d = 1, n_digests do
    if not duplicate[d] then new_digests[#new_digests + 1] = digests[d] end
  end
end

-- Decide.
local open = n_pairs > 0 and open_pairs(claims, pair_names, now, reads_results) or {}
local line_texts = {}
local held_count = redis.call('HLEN', helds)
if held_count > 0 and n_pairs > 0 then line_texts = get_all(slots, pair_names) end
local lines, touched = {}, {}
local function line_of(pair)
  if not lines[pair] then lines[pair] = read_line(line_texts[pair]) end
  return lines[pair]
end
state.number = math.max(state.number, now * 1000)
local new_claims, pushes, new_helds, gone_helds = {}, {{}, {}}, {}, {}
local new_tasks, n_new = {}, 0
local n_pushed = {0, 0}
local letters, ended, ended_at = {}, {}, {}
local claim_tail = ' ' .. int(now + lifetime) .. ' ' .. ARGV[2] .. ' ' .. int(now)

local function supersede(pair)
  local line = line_of(pair)
  for i = 1, #line do
    ended[#ended + 1] = {pair = pair, number = line[i].number}
    state.held_bytes = math.max(0, state.held_bytes - line[i].bytes)
    held_count = held_count - 1
    if new_helds[line[i].number] then
      ended[#ended].content = new_helds[line[i].number]
      new_helds[line[i].number] = nil
    else
      gone_helds[#gone_helds + 1] = line[i].number
    end
  end
  lines[pair] = {}
  touched[pair] = true
end

local function hold(pair, content)
  state.number = state.number + 1
  local number = int(state.number)
  local line = line_of(pair)
  line[#line + 1] = {number = number, bytes = #content}
  touched[pair] = true
  new_helds[number] = content
  state.held_bytes = state.held_bytes + #content
  held_count = held_count + 1
end

for r = 1, n_requests do
  -- Flags: policy in two bits, running, backtest, repeat within this call, then the slots.
  local m = first_request + (r - 1) * 3
  local pair, digest, flags = meta[m], meta[m + 1], meta[m + 2]
  local policy, running, queue, is_repeat, room = SKIP, false, 1, false, 0
  if flags > 0 then
    policy = flags % 4
    running = math.floor(flags / 4) % 2 == 1
    queue = 1 + math.floor(flags / 8) % 2
    is_repeat = math.floor(flags / 16) % 2 == 1
    room = math.floor(flags / 32)
  end
  local task, element = ARGV[at], ARGV[at + 1]
  at = at + 2
  local head
  if policy ~= SKIP then
    head = ARGV[at]
    at = at + 1
  end
  local letter
  if is_repeat or duplicate[digest] then
    letter = 'D'
  else
    local busy = running or open[pair]
    if not busy and (policy ~= QUEUE or #line_of(pair) == 0) then
      letter = 'E'
      open[pair] = true
      if policy == LATEST and #line_of(pair) > 0 then supersede(pair) end
      new_claims[2 * n_new + 1] = pair_names[pair]
      new_claims[2 * n_new + 2] = task .. claim_tail
      n_new = n_new + 1
      new_tasks[n_new] = task
      n_pushed[queue] = n_pushed[queue] + 1
      pushes[queue][n_pushed[queue]] = element
    elseif policy == SKIP then
      letter = 'B'
    else
      local line = line_of(pair)
      local size = #head + #element
      local count_after, bytes_after = held_count + 1, state.held_bytes + size
      if policy == LATEST then
        count_after = count_after - #line
        for i = 1, #line do bytes_after = bytes_after - line[i].bytes end
      end
      if count_after > held_max or bytes_after > held_bytes_max or
          (policy == QUEUE and #line >= room) then
        letter = 'Q'
      else
        letter = 'H'
        if policy == LATEST then supersede(pair) end
        hold(pair, head .. element)
      end
    end
  end
  letters[r] = letter
end

-- The names of signals that were superseded.
local reply_ended, ended_json = {}, {}
if #ended > 0 then
  local contents = #gone_helds > 0 and get_all(helds, gone_helds) or {}
  local by_number = {}
  for i = 1, #gone_helds do by_number[gone_helds[i]] = contents[i] end
  for i = 1, #ended do
    local was = read_held(ended[i].content or by_number[ended[i].number])
    local key, name = was and was.key or '', pair_names[ended[i].pair]
    reply_ended[#reply_ended + 1] = name
    reply_ended[#reply_ended + 1] = key
    ended_json[i] = cjson.encode({key, name})
  end
end
local slot_values, gone_slots = {}, {}
for pair in pairs(touched) do
  if #lines[pair] > 0 then
    slot_values[#slot_values + 1] = pair_names[pair]
    slot_values[#slot_values + 1] = line_text(lines[pair])
  elseif line_texts[pair] then
    gone_slots[#gone_slots + 1] = pair_names[pair]
  end
end
local held_values = {}
for number, content in pairs(new_helds) do
  held_values[#held_values + 1] = number
  held_values[#held_values + 1] = content
end

local text = table.concat(letters)
local all_letters = text .. ARGV[4] .. string.rep('S', #ended)
local json = ARGV[3]
if #ended_json > 0 then
  json = json .. (#json > 1 and ',' or '') .. table.concat(ended_json, ',')
end
json = json .. ']'
local plan = #all_letters > 0 and plan_entry(state, limits, #json + #all_letters)

-- Write. Nothing fails from here on.
write_state(state_key, state)
write_all('HSET', claims, new_claims)
if is_shadow == 0 then
  if reads_results == 1 then forget_results(new_tasks) end
  write_all('LPUSH', KEYS[10], pushes[1])
  write_all('LPUSH', KEYS[11], pushes[2])
end
write_all('HSET', helds, held_values)
write_all('HDEL', helds, gone_helds)
write_all('HSET', slots, slot_values)
write_all('HDEL', slots, gone_slots)
if #cleared > 0 then redis.call('UNLINK', unpack(cleared)) end
write_all('SADD', KEYS[6 + state.generation % 4], new_digests)
if #moves > 0 then redis.call('MSET', unpack(moves)) end
if #gone_cuts > 0 then redis.call('DEL', unpack(gone_cuts)) end
local note
if #all_letters > 0 then note = record(outcomes, state_key, plan, json, all_letters) end
return {'ok', int(now), text, reply_ended, note or ''}
)lua";

}  // namespace signalbox

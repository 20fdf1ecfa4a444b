#pragma once

#include <string_view>

/// The scripts that run inside Redis. Each is kScriptCommon followed by its own part.
///
/// Rules of all of them: everything that can fail is looked at before the first write; the first
/// write is one that Redis refuses when its memory is full (it looks before the first one only);
/// no command per task. They follow domain/claim_book.cpp step by step: that is the specification,
/// and tests/contract compares the two on random batches.
namespace signalbox {

inline constexpr std::string_view kScriptCommon = R"lua(
local CHUNK = 3000  -- unpack() has a limit near 8,000
local ENDED = {SUCCESS = true, FAILURE = true, REVOKED = true}

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function int(x) return string.format('%.0f', x) end

local function wrong_type(key, wanted)
  local found = redis.call('TYPE', key).ok
  if found ~= 'none' and found ~= wanted then
    return {'unfit', 'key ' .. key .. ' is a ' .. found .. ', not a ' .. wanted ..
            ': rename or delete it'}
  end
end

-- HMGET or MGET (without a key) of any number of names.
local function get_all(key, names)
  local values = {}
  for first = 1, #names, CHUNK do
    local last = math.min(first + CHUNK - 1, #names)
    local part
    if key then
      part = redis.call('HMGET', key, unpack(names, first, last))
    else
      part = redis.call('MGET', unpack(names, first, last))
    end
    for i = 1, #part do values[first + i - 1] = part[i] end
  end
  return values
end

-- One variadic command for any number of arguments; chunks hold whole pairs.
local function write_all(command, key, arguments)
  for first = 1, #arguments, CHUNK do
    redis.call(command, key, unpack(arguments, first, math.min(first + CHUNK - 1, #arguments)))
  end
end

local function has_ended(result)
  if not result then return false end
  local status = string.match(result, '^%s*{%s*"status"%s*:%s*"(%u+)"')
  if not status then
    local ok, decoded = pcall(cjson.decode, result)
    status = ok and type(decoded) == 'table' and decoded.status
  end
  return ENDED[status] or false
end

-- Which of the pairs have a claim whose task may still run: index -> true.
local function open_pairs(claims, pairs_, now, reads_results)
  local values = get_all(claims, pairs_)
  local open, results, index = {}, {}, {}
  for i = 1, #pairs_ do
    if values[i] then
      local task, deadline = string.match(values[i], '^(%S+) (%d+) ')
      if task and tonumber(deadline) > now then
        open[i] = true
        results[#results + 1] = 'celery-task-meta-' .. task
        index[#index + 1] = i
      end
    end
  end
  if reads_results == 1 and #results > 0 then
    local found = get_all(nil, results)
    for k = 1, #results do
      if has_ended(found[k]) then open[index[k]] = nil end
    end
  end
  return open
end

-- A line is who waits for a pair, first one first: `number:bytes` separated by spaces.
local function read_line(text)
  local line = {}
  if text then
    for number, bytes in string.gmatch(text, '(%d+):(%d+)') do
      line[#line + 1] = {number = number, bytes = tonumber(bytes)}
    end
  end
  return line
end

local function line_text(line)
  local parts = {}
  for i = 1, #line do parts[i] = line[i].number .. ':' .. line[i].bytes end
  return table.concat(parts, ' ')
end

-- What waits: task, queue, logged_ms, place of `expires`, then the signal's name and the element.
local function read_held(text)
  if not text then return nil end
  local task, queue, logged, expires_at, size, at =
      string.match(text, '^(%S+) (%d) (%-?%d+) (%d+) (%d+) ()')
  if not task then return nil end
  return {task = task, queue = tonumber(queue), logged = logged,
          expires_at = tonumber(expires_at), key = string.sub(text, at, at + size - 1),
          element_at = at + size}
end

-- The outcome stream is cut at the first entries of segments, whose sizes are known. Called
-- before the first write; record() then writes what was planned.
local function plan_entry(state, limits, bytes)
  bytes = bytes + 100
  if state.segments ~= '' and state.segment_bytes + bytes <= limits.segment_bytes and
      state.segment_entries < limits.segment_entries then
    state.segment_bytes = state.segment_bytes + bytes
    state.segment_entries = state.segment_entries + 1
    return nil
  end
  local segments, total = {}, bytes
  for id, size in string.gmatch(state.segments, '(%d+%-%d+):?(%d*)') do
    size = tonumber(size) or state.segment_bytes
    segments[#segments + 1] = {id = id, bytes = size}
    total = total + size
  end
  local is_cut = false
  while #segments > 0 and (total > limits.bytes or #segments >= limits.segments) do
    total = total - segments[1].bytes
    table.remove(segments, 1)
    is_cut = true
  end
  state.segment_bytes, state.segment_entries = bytes, 1
  return {segments = segments, is_cut = is_cut}
end

local function record(stream, state_key, plan, pairs_json, letters)
  -- What counts does not depend on this entry: its failure must not stop the call half-way.
  local id = redis.pcall('XADD', stream, '*', 'pairs', pairs_json, 'outcomes', letters)
  if type(id) == 'table' then return id.err end
  if not plan then return nil end
  local parts = {}
  for i = 1, #plan.segments do
    parts[i] = plan.segments[i].id .. ':' .. int(plan.segments[i].bytes)
  end
  parts[#parts + 1] = id
  redis.call('HSET', state_key, 'segments', table.concat(parts, ' '))
  if plan.is_cut then
    redis.pcall('XTRIM', stream, 'MINID', plan.segments[1] and plan.segments[1].id or id)
  end
end

local STATE = {'generation', 'since', 'number', 'segment_bytes', 'segment_entries', 'segments',
               'held_bytes', 'forgotten'}
local function read_state(key)
  local values = redis.call('HMGET', key, unpack(STATE))
  local state = {}
  for i = 1, #STATE do
    local value = values[i] or ''
    if STATE[i] ~= 'segments' then
      value = tonumber(value) or 0
      if not (value >= 0 and value < 9e15) then value = 0 end
      value = math.floor(value)
    end
    state[STATE[i]] = value
  end
  return state
end

-- The first write of every script: refused when the memory is full, and then nothing is written.
local function write_state(key, state)
  redis.call('HSET', key, 'generation', int(state.generation), 'since', int(state.since),
             'number', int(state.number), 'held_bytes', int(state.held_bytes),
             'forgotten', int(state.forgotten), 'segment_bytes', int(state.segment_bytes),
             'segment_entries', int(state.segment_entries))
end
)lua";

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
local seen, new_digests = {}, {}
if n_digests > 0 then
  for i = 6, 9 do
    if not is_cleared[KEYS[i]] then
      local members = redis.call('SMISMEMBER', KEYS[i], unpack(digests))
      for d = 1, n_digests do
        if members[d] == 1 then seen[digests[d]] = true end
      end
    end
  end
end
local duplicate = {}
for d = 1, n_digests do
  local digest = digests[d]
  if seen[digest] then
    duplicate[d] = true
  else
    seen[digest] = true
    new_digests[#new_digests + 1] = digest
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
  local m = first_request + (r - 1) * 6
  local pair, digest, policy, running, room, queue =
      meta[m], meta[m + 1], meta[m + 2], meta[m + 3], meta[m + 4], meta[m + 5]
  local task, element = ARGV[at], ARGV[at + 1]
  at = at + 2
  local head
  if policy ~= SKIP then
    head = ARGV[at]
    at = at + 1
  end
  local letter
  if digest > 0 and duplicate[digest] then
    letter = 'D'
  else
    local busy = running == 1 or open[pair]
    if not busy and (policy ~= QUEUE or #line_of(pair) == 0) then
      letter = 'E'
      open[pair] = true
      if policy == LATEST and #line_of(pair) > 0 then supersede(pair) end
      new_claims[#new_claims + 1] = pair_names[pair]
      new_claims[#new_claims + 1] = task .. claim_tail
      local list = pushes[queue]
      list[#list + 1] = element
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

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
  if #names <= CHUNK then
    if key then return redis.call('HMGET', key, unpack(names)) end
    return redis.call('MGET', unpack(names))
  end
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

-- A task that is named again, because its signal came again after its time, must not find the
-- result of its first run: its claim would end at once, and Celery never overwrites a success.
local function forget_results(tasks)
  local keys = {}
  for i = 1, #tasks do keys[i] = 'celery-task-meta-' .. tasks[i] end
  for first = 1, #keys, CHUNK do
    redis.call('UNLINK', unpack(keys, first, math.min(first + CHUNK - 1, #keys)))
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

}  // namespace signalbox

--- What differs between two answers to one request, as a person would say it:
---
---   { where = "card 123", what = "price", old = "120 000 ₽", new = "118 000 ₽" }
---
--- `where` is the nearest thing with an id: an item of a JSON list, or an element of the page. A thing that is only in one
--- of them has `kind` = "gone" or "new", one that stands elsewhere in its list makes `kind` = "order". Pure.
local host = host
local text = require "kit.text"

local replay_diff = {}

local SHOWN = 160 -- characters of a value

local function show(value)
  if type(value) == "table" then value = host.json.encode(value, { sorted = true }) end
  if value == host.json.null then value = "null" end
  local shown = tostring(value)
  return #shown > SHOWN and text.first(shown, SHOWN) .. "…" or shown
end

-- ---- JSON ----

local function id_of(item)
  local id = type(item) == "table" and item.id
  return (type(id) == "string" or type(id) == "number") and (type(id) == "number" and ("%.14g"):format(id) or id) or nil
end

-- The items of a list by their id, and the ids in order; nil when not all have one of their own.
local function by_id(list)
  local items, ids = {}, {}
  for index, item in ipairs(list) do
    local id = id_of(item)
    if not id or items[id] ~= nil then return nil end
    items[id], ids[index] = item, id
  end
  return items, ids
end

-- «cards» are made of cards, «cities» of cities.
local function one_of(name)
  if name:find "ies$" then return (name:gsub("ies$", "y")) end
  return (name:gsub("([^s])s$", "%1"))
end

local function join(path, name)
  return path == "" and tostring(name) or path .. "." .. name
end

local walk

local function add(state, place, change)
  change.where, change.what = place.where, place.path
  state.changes[#state.changes + 1] = change
end

local function in_order_of(ids, others)
  local kept = {}
  for _, id in ipairs(ids) do
    if others[id] ~= nil then kept[#kept + 1] = id end
  end
  return table.concat(kept, "\n")
end

local function compare_items(state, place, old, old_ids, new, new_ids)
  local word = one_of(place.path:match "[^%.]+$" or "item")
  local function at(id)
    local label = word .. " " .. id
    return { where = place.where ~= "" and place.where .. ", " .. label or label, path = "" }
  end
  for _, id in ipairs(old_ids) do
    if new[id] == nil then add(state, at(id), { kind = "gone" }) else walk(state, at(id), old[id], new[id]) end
  end
  for _, id in ipairs(new_ids) do
    if old[id] == nil then add(state, at(id), { kind = "new" }) end
  end
  if in_order_of(old_ids, new) ~= in_order_of(new_ids, old) then add(state, place, { kind = "order" }) end
end

local function compare_lists(state, place, old, new)
  local old_items, old_ids = by_id(old)
  local new_items, new_ids = by_id(new)
  if old_items and new_items then return compare_items(state, place, old_items, old_ids, new_items, new_ids) end
  for index = 1, math.max(#old, #new) do
    walk(state, { where = place.where, path = ("%s[%d]"):format(place.path, index) }, old[index], new[index])
  end
end

local function names_of(old, new)
  local names, seen = {}, {}
  for _, object in ipairs { old, new } do
    for name in pairs(object) do
      if not seen[name] then names[#names + 1], seen[name] = name, true end
    end
  end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  return names
end

local function compare_objects(state, place, old, new)
  for _, name in ipairs(names_of(old, new)) do
    if not state.ignored[name] then walk(state, { where = place.where, path = join(place.path, name) }, old[name], new[name]) end
  end
end

function walk(state, place, old, new)
  if old == new then return end
  if type(old) == "table" and type(new) == "table" then
    local compare = (old[1] ~= nil or new[1] ~= nil) and compare_lists or compare_objects
    return compare(state, place, old, new)
  end
  add(state, place, { kind = old == nil and "new" or new == nil and "gone" or nil,
    old = old ~= nil and show(old) or nil, new = new ~= nil and show(new) or nil })
end

--- @param old any      decoded
--- @param new any
--- @param ignored table<string, boolean>  members that mean nothing, wherever they stand
--- @return {where: string, what: string, old: string?, new: string?, kind: string?}[]
function replay_diff.json(old, new, ignored)
  local state = { changes = {}, ignored = ignored }
  walk(state, { where = "", path = "" }, old, new)
  return state.changes
end

-- ---- pages ----

local ENTITIES = { amp = "&", lt = "<", gt = ">", quot = '"', ["#39"] = "'", nbsp = " " }

-- An element cargo-123 is «cargo 123», and cargo-price-123 is «cargo 123: price».
local function place_of(id)
  local word, part, number = id:match "^(%a+)[%-_]?([%a_%-]-)[%-_](%d+)$"
  if word then return { where = word .. " " .. number, path = part } end
  return { where = "#" .. id, path = "" }
end

local function add_piece(pieces, piece, place, ignored)
  piece = text.trim((piece:gsub("&(#?%w+);", ENTITIES):gsub("%s+", " ")))
  if piece == "" then return end
  for _, pattern in ipairs(ignored) do
    if piece:find(pattern) then return end
  end
  pieces[#pieces + 1] = { text = piece, place = place }
end

-- Texts and tags in their order, each with the last id that came before it.
local function pieces_of(markup, ignored)
  local pieces, place, at = {}, { where = "", path = "" }, 1
  while true do
    local open, close = markup:find("<[^>]*>", at)
    add_piece(pieces, markup:sub(at, (open or 0) - 1), place, ignored)
    if not open then return pieces end
    local tag = markup:sub(open, close)
    local id = tag:match '%sid="([^"]*)"'
    if id then place = place_of(id) end
    if not tag:find "^</" then add_piece(pieces, tag, place, ignored) end
    at = close + 1
  end
end

local TABLE_MAX = 40000 -- cells; beyond it pieces are compared by their place
local ALIKE = 0.5       -- pages of one length with at least so much of the same at the same place are compared so, too

-- Lengths of the longest common part of what is left from (i, j) on.
local function common_lengths(old, new)
  local rows = { [#old + 1] = {} }
  for i = #old, 1, -1 do
    local row, below = {}, rows[i + 1]
    for j = #new, 1, -1 do
      row[j] = old[i].text == new[j].text and (below[j + 1] or 0) + 1 or math.max(below[j] or 0, row[j + 1] or 0)
    end
    rows[i] = row
  end
  return rows
end

local function pair_up(changes, old, new)
  for index = 1, math.max(#old, #new) do
    local before, after = old[index], new[index]
    local place = (before or after).place
    changes[#changes + 1] = {
      where = place.where, what = place.path, kind = not before and "new" or not after and "gone" or nil,
      old = before and show(before.text), new = after and show(after.text),
    }
  end
end

local function compare_pieces(changes, old, new)
  local rows, i, j = common_lengths(old, new), 1, 1
  local removed, added = {}, {}
  while i <= #old or j <= #new do
    if i <= #old and j <= #new and old[i].text == new[j].text then
      pair_up(changes, removed, added)
      removed, added, i, j = {}, {}, i + 1, j + 1
    elseif j > #new or i <= #old and (rows[i + 1][j] or 0) >= (rows[i][j + 1] or 0) then
      removed[#removed + 1], i = old[i], i + 1
    else
      added[#added + 1], j = new[j], j + 1
    end
  end
  pair_up(changes, removed, added)
end

-- What an edited text or price does: nothing moves.
local function is_aligned(old, new)
  if #old ~= #new then return false end
  local same = 0
  for index = 1, #old do
    if old[index].text == new[index].text then same = same + 1 end
  end
  return same >= ALIKE * #old
end

local function compare_in_place(changes, old, new)
  for index = 1, math.max(#old, #new) do
    local before, after = old[index], new[index]
    if not (before and after and before.text == after.text) then pair_up(changes, { before }, { after }) end
  end
end

local function slice(list, from, to)
  local part = {}
  for index = from, to do part[#part + 1] = list[index] end
  return part
end

--- @param old string     markup
--- @param new string
--- @param ignored string[]  Lua patterns: a text or a tag that has one means nothing
--- @return table[]  as of replay_diff.json()
function replay_diff.markup(old, new, ignored)
  local before, after, changes = pieces_of(old, ignored), pieces_of(new, ignored), {}
  local head, tail = 0, 0
  local shorter = math.min(#before, #after)
  while head < shorter and before[head + 1].text == after[head + 1].text do head = head + 1 end
  while tail < shorter - head and before[#before - tail].text == after[#after - tail].text do tail = tail + 1 end
  before, after = slice(before, head + 1, #before - tail), slice(after, head + 1, #after - tail)
  local in_place = is_aligned(before, after) or #before * #after > TABLE_MAX
  local compare = in_place and compare_in_place or compare_pieces
  compare(changes, before, after)
  return changes
end

return replay_diff

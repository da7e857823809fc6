-- Wireshark dissector of the Extensible Internet, wire version 1.
--
-- Use:      wireshark -X lua_script:ei.lua FILE      (ei decode --dissector prints where this file is)
-- Filters:  ei.service == 16, ei.drop_reason == "replayed", ei.flags.covered, ...
--
-- Headers are sealed on the wire. Captures of our own tap have the flag OPENED and the header in
-- plaintext, and say in the packet's comment what became of it (`fate=... reason=...`).
-- Layouts: docs/reference/wire.md. The same in Python: fields.py beside this file; a test compares.

local ei = Proto("ei", "Extensible Internet")

local TYPES = { [1] = "initiation", [2] = "response", [3] = "cookie", [4] = "data" }
local PROTECTIONS = { [0] = "none", [1] = "datagrams", [2] = "streams", [3] = "groups", [4] = "packed" }
-- Written by `make fix` from src/ei/registry/numbers.toml.
local SERVICES = {
    [1] = "control",
    [2] = "directory",
    [3] = "routing",
    [4] = "registry",
    [5] = "cluster",
    [6] = "attachment",
    [16] = "delivery",
    [17] = "echo",
    [18] = "reach",
    [32] = "termination",
    [34] = "caching",
    [37] = "compression",
    [48] = "multicast",
    [50] = "pubsub",
    [66] = "odns",
    [68] = "relay",
}

-- Control messages by service and kind.
local MESSAGES = {
    [2] = { [0] = "Find", [1] = "Found", [2] = "Unfound", [3] = "Register", [4] = "Registered",
            [5] = "Ask", [6] = "Answer", [7] = "Refused", [8] = "Release" },
    [3] = { [0] = "Start", [1] = "Update", [2] = "Inside" },
    [5] = { [1] = "Append", [2] = "Appended", [3] = "Refused", [4] = "Piece", [5] = "Taken",
            [6] = "Part" },
    [6] = { [0] = "Draining", [1] = "Moved", [8] = "Guard", [16] = "Explain", [17] = "Explained" },
    [34] = { [0] = "Purge", [1] = "Purged", [2] = "Spread", [3] = "Heard" },
    [37] = { [0] = "Offer", [1] = "Taken", [2] = "Has" },
    [48] = { [0] = "Join", [1] = "Leave", [2] = "Graft", [3] = "Prune", [4] = "Decline", [5] = "Missing", [6] = "Again" },
    [50] = { [0] = "Want", [1] = "Wanted", [2] = "Again" },
    [68] = { [0] = "AskKeys", [1] = "IssuerKeys", [2] = "Sign", [3] = "Signed", [4] = "Ended" },
}

local PORT = 3535
local TAG, MAC = 16, 16
local PREFIX, HEADER, SOURCE = 16, 20, 16
local SMALLEST_INITIATION, COOKIE = 1200, 56
local CONTROL_SERVICE, CONTROL_METADATA = 1, 13
local COVERED, OPENED = 0x01, 0x80
local ORIGIN, TRACED = 0x1, 0x2

-- -- fields ------------------------------------------------------------------------------------

local f = {}

local function field(name, make, title, ...)
    f[name] = make("ei." .. name, title, ...)
end

local function number(size) return ProtoField["uint" .. size] end

field("version", number(8), "Wire version")
field("type", number(8), "Type", base.DEC, TYPES)
field("flags", number(8), "Flags", base.HEX)
field("flags.covered", ProtoField.bool, "COVERED: the payload is inside the seal")
field("flags.opened", ProtoField.bool, "OPENED: the tap wrote the header in plaintext")
field("sealed_length", number(16), "Sealed length")
field("receiver_index", number(32), "Receiver index", base.HEX)
field("lane", number(8), "Lane")
field("counter", number(64), "Counter")
field("sealed", ProtoField.bytes, "Sealed header")
field("tag", ProtoField.bytes, "Tag")
field("payload", ProtoField.bytes, "Payload")
field("padding", ProtoField.bytes, "Padding")
field("suite", number(8), "Cipher suite")
field("handshake_length", number(16), "Handshake length")
field("sender_index", number(32), "Sender index", base.HEX)
field("offered_suites", ProtoField.bytes, "Offered suites")
field("handshake", ProtoField.bytes, "Handshake message")
field("mac1", ProtoField.bytes, "mac1: knows the responder's key")
field("mac2", ProtoField.bytes, "mac2: holds a cookie")
field("reserved", ProtoField.bytes, "Reserved")
field("cookie.nonce", ProtoField.bytes, "Nonce")
field("cookie.sealed", ProtoField.bytes, "Sealed cookie")
field("cookie.tag", ProtoField.bytes, "Tag of the cookie")
field("header.version", number(8), "Header version")
field("header.flags", number(8), "Header flags", base.HEX)
field("header.flags.origin", ProtoField.bool, "ORIGIN: names its source")
field("header.flags.traced", ProtoField.bool, "TRACED: every node keeps a record")
field("hop_limit", number(8), "Hop limit")
field("class", number(16), "Class")
field("service", number(32), "Service", base.DEC, SERVICES)
field("connection", number(64), "Connection")
field("payload_length", number(16), "Payload length")
field("metadata_length", number(8), "Metadata length")
field("protection", number(8), "Protection", base.DEC, PROTECTIONS)
field("source", ProtoField.ipv6, "Source")
field("metadata", ProtoField.bytes, "Metadata")
field("control.service", number(32), "Control: service", base.DEC, SERVICES)
field("control.sequence", number(32), "Control: sequence")
field("control.acknowledged", number(32), "Control: acknowledged")
field("control.more", number(8), "Control: more fragments")
field("message", ProtoField.string, "Control message")
field("message.text", ProtoField.string, "Control message as text")
field("e2e.key_id", number(32), "End to end: key, or 0 in a handshake", base.HEX)
field("e2e.counter", number(64), "End to end: counter")
field("e2e.ciphertext", ProtoField.bytes, "End to end: ciphertext")
field("e2e.tag", ProtoField.bytes, "End to end: tag")
field("e2e.type", number(8), "End to end: type of the handshake message", base.DEC, TYPES)
field("e2e.half", number(8), "End to end: which half of the initiation")
field("e2e.suite", number(8), "End to end: cipher suite")
field("e2e.reserved", ProtoField.bytes, "End to end: reserved")
field("e2e.sender_key_id", number(32), "End to end: key of the sender", base.HEX)
field("e2e.receiver_key_id", number(32), "End to end: key of the receiver", base.HEX)
field("e2e.offered_suites", ProtoField.bytes, "End to end: offered suites")
field("e2e.handshake", ProtoField.bytes, "End to end: Handshake message")
field("e2e.cookie", ProtoField.bytes, "End to end: cookie")
field("fate", ProtoField.string, "Fate")
field("drop_reason", ProtoField.string, "Drop reason")
field("malformed", ProtoField.string, "Malformed")

for _, one in pairs(f) do ei.fields[#ei.fields + 1] = one end

local comment_field = Field.new("frame.comment")

-- -- walking from front to back -----------------------------------------------------------------

local Walk = {}
Walk.__index = Walk

local function new_walk(buffer, tree)
    return setmetatable({ buffer = buffer, tree = tree, at = 0, bytes = buffer:len() }, Walk)
end

function Walk:left() return self.bytes - self.at end

function Walk:note(name, value)
    self.tree:add(f[name], value):set_generated()
end

-- Ends the walk; `pcall` below catches it. Tables, not strings, so that no position is prepended.
local function malformed(reason) error({ reason = reason }, 0) end

function Walk:take(name, size, reason)
    if size > self:left() then malformed(reason or "truncated") end
    if size == 0 then return nil end
    local range = self.buffer(self.at, size)
    self.at = self.at + size
    self.tree:add_le(f[name], range)
    return range
end

function Walk:number(name, size, reason)
    return self:take(name, size, reason):le_uint()
end

function Walk:nibbles(high, low)
    if self:left() == 0 then malformed("truncated") end
    local range = self.buffer(self.at, 1)
    self.at = self.at + 1
    local first, second = range:bitfield(0, 4), range:bitfield(4, 4)
    self.tree:add(f[high], range, first)
    self.tree:add(f[low], range, second)
    return first, second
end

-- A byte that was just passed, bit by bit.
function Walk:bit(name, byte, mask)
    self.tree:add(f[name], self.buffer(self.at - 1, 1), bit32.band(byte, mask) ~= 0)
end

-- -- layouts ------------------------------------------------------------------------------------

local function initiation(walk)
    if walk.bytes < SMALLEST_INITIATION then malformed("unpadded_initiation") end
    walk:take("suite", 1)
    local message = walk:number("handshake_length", 2)
    walk:take("sender_index", 4)
    walk:take("offered_suites", 4)
    if message > walk:left() - 2 * MAC then malformed("truncated") end
    walk:take("handshake", message)
    walk:take("padding", walk:left() - 2 * MAC)
    walk:take("mac1", MAC)
    walk:take("mac2", MAC)
end

local function response(walk)
    walk:take("suite", 1)
    local message = walk:number("handshake_length", 2)
    walk:take("sender_index", 4)
    walk:take("receiver_index", 4)
    if message > walk:left() - MAC then malformed("truncated") end
    walk:take("handshake", message)
    walk:take("padding", walk:left() - MAC)
    walk:take("mac1", MAC)
end

local function cookie(walk)
    if walk.bytes ~= COOKIE then malformed("truncated") end
    if walk:take("reserved", 3):le_uint() ~= 0 then malformed("unknown_flags") end
    walk:take("receiver_index", 4)
    walk:take("cookie.nonce", 16)
    walk:take("cookie.sealed", 16)
    walk:take("cookie.tag", TAG)
end

-- A plaintext L3.5 header that leaves at least `after` bytes; returns payload length, service, protection,
-- and for whom the payload is a control message (0: it is none, or one of several fragments).
local function header(walk, after)
    if walk:left() - after < HEADER then malformed("bad_header") end
    local version, flags = walk:nibbles("header.version", "header.flags")
    walk:bit("header.flags.origin", flags, ORIGIN)
    walk:bit("header.flags.traced", flags, TRACED)
    if version ~= 1 then malformed("unknown_version") end
    if flags > ORIGIN + TRACED then malformed("unknown_flags") end
    walk:take("hop_limit", 1)
    walk:take("class", 2)
    local service = walk:number("service", 4)
    walk:take("connection", 8)
    local payload = walk:number("payload_length", 2)
    local metadata = walk:number("metadata_length", 1)
    local protection = walk:number("protection", 1)
    if PROTECTIONS[protection] == nil then malformed("bad_header") end
    local source = bit32.band(flags, ORIGIN) ~= 0 and SOURCE or 0
    if walk:left() - after < source + metadata then malformed("bad_header") end
    if source > 0 then
        walk.tree:add(f.source, walk.buffer(walk.at, SOURCE))
        walk.at = walk.at + SOURCE
    end
    if service == CONTROL_SERVICE and metadata == CONTROL_METADATA then
        local message_for = walk:number("control.service", 4)
        walk:take("control.sequence", 4)
        walk:take("control.acknowledged", 4)
        local more = walk:number("control.more", 1)
        return payload, service, protection, more == 0 and message_for or 0
    end
    walk:take("metadata", metadata)
    return payload, service, protection, 0
end

local function payload_and_padding(walk, payload, after)
    if payload > walk:left() - after then malformed("truncated") end
    local range = walk:take("payload", payload)
    walk:take("padding", walk:left() - after)
    return range
end

-- What two hosts say to each other in a payload of protection 1.
local function end_to_end(range, tree)
    if range == nil then malformed("bad_end_to_end") end
    local walk = new_walk(range:tvb(), tree)
    local reason = "bad_end_to_end"
    if walk:number("e2e.key_id", 4, reason) ~= 0 then
        walk:take("e2e.counter", 8, reason)
        if walk:left() < TAG then malformed(reason) end
        walk:take("e2e.ciphertext", walk:left() - TAG)
        walk:take("e2e.tag", TAG)
        return
    end
    local kind = walk:number("e2e.type", 1, reason)
    walk:take(kind == 4 and "e2e.half" or "e2e.suite", 1, reason)
    walk:take("e2e.reserved", 2, reason)
    if kind == 1 then
        walk:take("e2e.sender_key_id", 4, reason)
        walk:take("e2e.offered_suites", 4, reason)
        walk:take("e2e.handshake", walk:left())
    elseif kind == 2 then
        walk:take("e2e.sender_key_id", 4, reason)
        walk:take("e2e.receiver_key_id", 4, reason)
        walk:take("e2e.handshake", walk:left())
    elseif kind == 3 then
        walk:take("e2e.receiver_key_id", 4, reason)
        walk:take("e2e.cookie", walk:left())
    elseif kind == 4 then
        walk:take("e2e.sender_key_id", 4, reason)
        walk:take("e2e.handshake", walk:left())
    else
        malformed(reason)
    end
end

-- A value of msgpack as text, and where it ends; nil for what no message has.
local value

local SIZES = { [0xc4] = 1, [0xc5] = 2, [0xc6] = 4, [0xcc] = 1, [0xcd] = 2, [0xce] = 4, [0xcf] = 8,
                [0xd9] = 1, [0xda] = 2, [0xdb] = 4, [0xdc] = 2, [0xdd] = 4 }

local function address(raw)
    local groups = {}
    for at = 1, 16, 2 do groups[#groups + 1] = raw:byte(at) * 256 + raw:byte(at + 1) end
    local best_at, best = 0, 1 -- the longest run of two zero groups or more is left out
    local at = 1
    while at <= 8 do
        local to = at
        while to <= 8 and groups[to] == 0 do to = to + 1 end
        if to - at > best then best_at, best = at, to - at end
        at = math.max(to, at) + 1
    end
    local parts = {}
    for i = 1, 8 do parts[i] = string.format("%x", groups[i]) end
    if best_at == 0 then return table.concat(parts, ":") end
    return table.concat(parts, ":", 1, best_at - 1) .. "::" .. table.concat(parts, ":", best_at + best, 8)
end

local function binary(raw)
    if #raw == 16 and raw:sub(1, 2) == "\xfd\x35" then return address(raw) end
    if #raw > 32 then return "<" .. #raw .. " B>" end
    return (raw:gsub(".", function(c) return string.format("%02x", c:byte()) end))
end

local function escaped(char)
    local byte = char:byte()
    if byte < 0x20 or byte > 0x7e or char == '"' or char == "\\" then
        return string.format("\\x%02x", byte)
    end
end

local function quoted(raw) return '"' .. raw:gsub(".", escaped) .. '"' end

local function bytes(raw, size, at, show)
    if size > #raw - at + 1 then return nil end
    return show(raw:sub(at, at + size - 1)), at + size
end

local function array(raw, count, at, depth)
    if count > #raw - at + 1 then return nil end
    local parts = {}
    for i = 1, count do
        parts[i], at = value(raw, at, depth - 1)
        if parts[i] == nil then return nil end
    end
    return "[" .. table.concat(parts, ", ") .. "]", at
end

value = function(raw, at, depth)
    local code = raw:byte(at)
    if code == nil or depth == 0 then return nil end
    at = at + 1
    if code < 0x80 then return tostring(code), at end
    if code >= 0xe0 then return tostring(code - 256), at end
    if code >= 0x90 and code <= 0x9f then return array(raw, code - 0x90, at, depth) end
    if code >= 0xa0 and code <= 0xbf then return bytes(raw, code - 0xa0, at, quoted) end
    if code == 0xc0 then return "null", at end
    if code == 0xc2 then return "false", at end
    if code == 0xc3 then return "true", at end
    local size = SIZES[code]
    if size == nil or size > #raw - at + 1 then return nil end
    local number = raw:sub(at, at + size - 1)
    at = at + size
    if code == 0xcf then
        local hex = number:gsub(".", function(c) return string.format("%02x", c:byte()) end)
        return tostring(UInt64.fromhex(hex)), at
    end
    local n = 0
    for i = 1, size do n = n * 256 + number:byte(i) end
    if code <= 0xc6 then return bytes(raw, n, at, binary) end
    if code >= 0xd9 and code <= 0xdb then return bytes(raw, n, at, quoted) end
    if code >= 0xdc then return array(raw, n, at, depth) end
    return string.format("%.0f", n), at
end

-- An array of up to 15, its kind in one byte first: as all messages begin.
local function control_message(walk, range, service, info)
    local raw = range:raw()
    local text, after = value(raw, 1, 8)
    if text == nil or after ~= #raw + 1 then return end
    local first, kind = raw:byte(1, 2)
    if first < 0x90 or first > 0x9f or kind == nil or kind >= 0x80 then return end
    local name = MESSAGES[service] and MESSAGES[service][kind] or "kind " .. kind
    if #text > 200 then text = text:sub(1, 200) .. "..." end
    walk:note("message", name)
    walk:note("message.text", text)
    info.service = (SERVICES[service] or tostring(service)) .. " " .. name
end

local function data(walk, info)
    local flags = walk:number("flags", 1)
    walk:bit("flags.covered", flags, COVERED)
    walk:bit("flags.opened", flags, OPENED)
    local is_covered = bit32.band(flags, COVERED) ~= 0
    if bit32.band(flags, bit32.bnot(COVERED + OPENED)) ~= 0 then malformed("unknown_flags") end
    local sealed = walk:number("sealed_length", 2)
    local index = walk:take("receiver_index", 4)
    walk.tree:add(f.lane, index, bit32.band(index:le_uint(), 0x0f))
    walk:take("counter", 8)
    if sealed < TAG or sealed > walk:left() then malformed("truncated") end
    local after = walk:left() - sealed
    if is_covered and after > 0 then malformed("trailing_bytes") end
    if bit32.band(flags, OPENED) == 0 then
        walk:take("sealed", sealed - TAG)
        walk:take("tag", TAG)
        walk:take("payload", after)
        return
    end
    local payload, service, protection, message_for = header(walk, after + TAG)
    info.service = SERVICES[service] or tostring(service)
    local range
    if is_covered then
        range = payload_and_padding(walk, payload, TAG)
        walk:take("tag", TAG)
    else
        walk:take("padding", walk:left() - after - TAG)
        walk:take("tag", TAG)
        range = payload_and_padding(walk, payload, 0)
    end
    if message_for ~= 0 and range ~= nil then control_message(walk, range, message_for, info) end
    if PROTECTIONS[protection] == "datagrams" then end_to_end(range, walk.tree) end
end

local LAYOUTS = { [1] = initiation, [2] = response, [3] = cookie, [4] = data }

local function datagram(walk, info)
    local version, kind = walk:nibbles("version", "type")
    if version ~= 1 then malformed("unknown_version") end
    if LAYOUTS[kind] == nil then malformed("unknown_type") end
    info.kind = TYPES[kind]
    LAYOUTS[kind](walk, info)
end

-- -- for Wireshark -------------------------------------------------------------------------------

function ei.dissector(buffer, packet, root)
    if buffer:len() == 0 then return 0 end
    packet.cols.protocol = "EI"
    local walk = new_walk(buffer, root:add(ei, buffer()))
    local info = {}
    local is_fine, trouble = pcall(datagram, walk, info)
    if not is_fine then
        if type(trouble) ~= "table" then error(trouble, 0) end
        info.malformed = trouble.reason
        walk:note("malformed", trouble.reason)
    end
    local comment = comment_field()
    local text = comment and comment.value or ""
    for key, value in text:gmatch("(%S-)=(%S+)") do
        if key == "fate" then walk:note("fate", value) end
        if key == "reason" then
            walk:note("drop_reason", value)
            info.reason = value
        end
    end
    packet.cols.info = (info.kind or "unknown")
        .. (info.service and (" " .. info.service) or "")
        .. (info.reason and (", dropped: " .. info.reason) or "")
        .. (info.malformed and (", malformed: " .. info.malformed) or "")
    return buffer:len()
end

-- Lab nodes use other ports than ours too: by their first bytes and lengths, which must fit.
local function is_ours(buffer)
    local bytes = buffer:len()
    if bytes < PREFIX + TAG or buffer(0, 1):bitfield(0, 4) ~= 1 then return false end
    local kind = buffer(0, 1):bitfield(4, 4)
    local length = buffer(2, 2):le_uint()
    if kind == 1 then return bytes >= SMALLEST_INITIATION end
    if kind == 2 then return bytes == 12 + length + MAC end
    if kind == 3 then return bytes == COOKIE end
    return kind == 4 and length >= TAG and length <= bytes - PREFIX
end

ei:register_heuristic("udp", function(buffer, packet, root)
    if not is_ours(buffer) then return false end
    ei.dissector(buffer, packet, root)
    return true
end)

DissectorTable.get("udp.port"):add(PORT, ei)

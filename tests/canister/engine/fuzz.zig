//! Opens and runs damaged programs: `fuzz INPUTS SEED PROGRAM`. A packed file is damaged where it says how it is packed, and
//! unpacked first. File, program, arena and state each end or begin at memory that must not be touched, so that any access
//! beyond them ends the process, and while a program runs its bytes cannot be written. Prints inputs, past the header,
//! opened and run, and how often each operator was run.

const std = @import("std");
const shell = @import("shell");
const graph_inputs = @import("graph_inputs.zig");
const Reached = @import("reached.zig").Reached;
const engine = shell.engine;
const format = shell.format;
const unpacking = shell.unpacking;

const page_size = std.heap.pageSize();
const arena_size_max = 1 << 20;
const state_size_max = 4 << 20;
const header_size = @sizeOf(format.Header);
const tables_at = header_size + std.meta.fields(format.Section).len * @sizeOf(format.SectionEntry);
const frame_size = 8;
const packed_header_size = 16;
const packed_magic = "PAIPACK\x00";
const instructions_most = 1 << 24; // of one graph: it must end, but need not end soon
const weights_offset_at = tables_at - @sizeOf(format.SectionEntry) + 4; // in the last section's entry

/// Memory between two pages that cannot be accessed.
const Guarded = struct {
    mapping: []align(std.heap.page_size_min) u8,
    room: usize,

    fn init(size_max: usize) !Guarded {
        const room = std.mem.alignForward(usize, size_max, page_size);
        const mapping = try std.posix.mmap(
            null,
            room + 2 * page_size,
            std.posix.PROT.READ | std.posix.PROT.WRITE,
            .{ .TYPE = .PRIVATE, .ANONYMOUS = true },
            -1,
            0,
        );
        try std.posix.mprotect(mapping[0..page_size], std.posix.PROT.NONE);
        try std.posix.mprotect(@alignCast(mapping[page_size + room ..]), std.posix.PROT.NONE);
        return .{ .mapping = mapping, .room = room };
    }

    /// `size_bytes` of it next to one of the pages, as near to the last as the alignment that the engine wants allows.
    fn at(self: Guarded, side: Side, size_bytes: usize) []align(64) u8 {
        const size = if (side == .first) self.room else std.mem.alignForward(usize, size_bytes, 64);
        return @alignCast(self.mapping[page_size + self.room - size ..][0..size_bytes]);
    }

    fn allowWriting(self: Guarded, allowed: bool) !void {
        const protection: u32 = if (allowed) std.posix.PROT.READ | std.posix.PROT.WRITE else std.posix.PROT.READ;
        try std.posix.mprotect(@alignCast(self.mapping[page_size..][0..self.room]), protection);
    }
};

const Side = enum { first, last };

const Verdict = enum { refused, past_header, opened, run };
const Counts = std.EnumArray(Verdict, u64);

/// Where the programs of all inputs lie and run.
const Places = struct { file: Guarded, program: Guarded, arena: Guarded, state: Guarded, side: Side = .last };

pub fn main() !void {
    const allocator = std.heap.page_allocator;
    const arguments = try std.process.argsAlloc(allocator);
    const inputs = try std.fmt.parseInt(usize, arguments[1], 10);
    var prng = std.Random.DefaultPrng.init(try std.fmt.parseInt(u64, arguments[2], 10));
    const original = try std.fs.cwd().readFileAlloc(allocator, arguments[3], 1 << 24);

    var places = Places{
        .file = try .init(original.len + 64),
        .program = try .init(unpacking.growth_max * original.len + 64),
        .arena = try .init(arena_size_max),
        .state = try .init(state_size_max),
    };
    const heads = try headsOf(allocator, original);
    var counts = Counts.initFill(0);
    for (0..inputs) |_| {
        places.side = prng.random().enumValue(Side);
        counts.getPtr(try runOne(original, heads, places, prng.random())).* += 1;
    }
    std.debug.print("{{\"inputs\": {}, \"past_header\": {}, \"opened\": {}, \"run\": {}, \"operators\": ", .{
        inputs,
        inputs - counts.get(.refused),
        counts.get(.opened) + counts.get(.run),
        counts.get(.run),
    });
    reached.print();
    std.debug.print("}}\n", .{});
}

var reached = Reached{};

/// Where a packed file speaks of its packing, as offsets of its words; nothing in one that is not packed.
fn headsOf(allocator: std.mem.Allocator, file: []const u8) ![]const usize {
    var heads: std.ArrayList(usize) = .empty;
    if (!std.mem.startsWith(u8, file, packed_magic)) return heads.items;
    for (0..packed_header_size / 4) |word| try heads.append(allocator, 4 * word);
    var at: usize = packed_header_size;
    while (at < file.len) {
        try heads.appendSlice(allocator, &.{ at, at + 4 });
        const gives = readWord(file, at + 4);
        at += frame_size + if (readWord(file, at) == 1) gives else gives / 1088 * 576; // docs/formats/program.md
    }
    return heads.items;
}

fn runOne(original: []const u8, heads: []const usize, places: Places, random: std.Random) !Verdict {
    const shortened = random.uintLessThan(u8, 16) == 0;
    const size = if (shortened) random.uintAtMost(usize, original.len) else original.len;
    const bytes = places.file.at(places.side, size);
    @memcpy(bytes, original[0..size]);
    if (heads.len == 0) {
        damage(bytes, 0, readWord(original, weights_offset_at), random);
        return runProgram(bytes, places.file, places, random);
    }
    const tables = packed_header_size + frame_size;
    if (random.boolean()) replaceWord(bytes, heads[random.uintLessThan(usize, heads.len)], random);
    if (random.boolean()) damage(bytes, tables, readWord(original, packed_header_size + 4), random);
    const program = unpack(bytes, places) catch |err| {
        return if (err == error.BadHeader or err == error.UnknownVersion) .refused else .past_header;
    };
    const verdict = try runProgram(program, places.program, places, random);
    return if (verdict == .refused) .past_header else verdict;
}

fn readWord(bytes: []const u8, at: usize) u32 {
    return std.mem.readInt(u32, bytes[at..][0..4], .little);
}

const File = struct {
    bytes: []const u8,

    pub fn read(self: File, offset: u64, target: []u8) void {
        @memcpy(target, self.bytes[@intCast(offset)..][0..target.len]);
    }
};

fn unpack(bytes: []const u8, places: Places) unpacking.Error![]align(64) const u8 {
    const file = File{ .bytes = bytes };
    var unpacker = try unpacking.Unpacker.begin(file, bytes.len);
    const target = places.program.at(places.side, @intCast(unpacker.program_bytes));
    while (!try unpacker.finished()) try unpacker.step(file, target);
    return target;
}

/// Of bytes that were damaged, which lie in `holder`.
fn runProgram(bytes: []align(64) const u8, holder: Guarded, places: Places, random: std.Random) !Verdict {
    var model = engine.Model.open(bytes) catch |err| {
        return if (err == error.BadHeader or err == error.UnknownVersion) .refused else .past_header;
    };
    if (model.arenaSizeBytes() > arena_size_max or model.stateSizeBytes() > state_size_max) return .opened;
    const arena = places.arena.at(places.side, model.arenaSizeBytes());
    model.bind(arena, places.state.at(places.side, model.stateSizeBytes()));
    try holder.allowWriting(false);
    const run = if (model.isGraph()) runGraph(&model, random) else runDecoder(&model, random);
    try holder.allowWriting(true);
    return if (run) .run else .opened;
}

fn runDecoder(model: *engine.Model, random: std.Random) bool {
    var tokens: [64]u32 = undefined;
    for (&tokens) |*token| token.* = random.uintLessThan(u32, model.vocabulary_size);
    const count = 1 + random.uintLessThan(usize, @min(model.sequence_max, 6));
    const last = model.context_length_max - @min(count, model.context_length_max);
    const past = if (random.boolean()) last else random.uintAtMost(u32, last);
    for (model.endTokens()) |token| std.mem.doNotOptimizeAway(token);
    const logits = model.forward(tokens[0..count], past) catch return false;
    std.mem.doNotOptimizeAway(logits[logits.len - 1]);
    for (model.program.operators) |*operator| reached.note(model, operator);
    return true;
}

/// With any values of the symbols, any inputs and any tiles, until all outputs are there.
fn runGraph(model: *engine.Model, random: std.Random) bool {
    var symbols: engine.Symbols = undefined;
    for (&symbols, model.program.symbolMaxima()) |*symbol, most| {
        symbol.* = if (most == 0) 0 else 1 + random.uintLessThan(u32, most);
    }
    const call = model.graphCall(symbols);
    engine.graph.checkLengths(&call) catch return false;
    graph_inputs.draw(model, &call, random);
    var cursor = engine.graph.Cursor{};
    var total: u64 = 0;
    while (engine.graph.workAt(&call, cursor)) |work| {
        const operator = &model.program.operators[cursor.operator];
        const rows = 1 + random.uintLessThan(usize, work.rows);
        total +|= work.instructions(rows);
        if (total > instructions_most) return false;
        engine.graph.step(&call, &cursor, rows) catch return false;
        if (cursor.row == 0) reached.note(model, operator);
    }
    readOutputs(model, &call);
    return true;
}

fn readOutputs(model: *const engine.Model, call: anytype) void {
    for (model.program.ports) |*port| {
        if (port.direction != @intFromEnum(format.Direction.output)) continue;
        const view = engine.graph.viewOf(call, port.tensor);
        for (0..view.rowCount()) |i| std.mem.doNotOptimizeAway(view.vectors(i)[view.vectorCount() - 1]);
    }
}

/// One to four changes to a program that begins at `start`, most of them in its tables: to numbers that parsers get wrong,
/// or to what another record says.
fn damage(bytes: []u8, start: usize, tables_size: usize, random: std.Random) void {
    if (bytes.len < start + tables_at) return;
    const program = bytes[start..];
    for (0..1 + random.uintLessThan(usize, 4)) |_| {
        const reach = switch (random.uintLessThan(u8, 16)) {
            0 => header_size,
            1 => program.len,
            else => @min(program.len, tables_size),
        };
        const place = random.uintLessThan(usize, reach);
        switch (random.uintLessThan(u8, 8)) {
            0, 1 => program[place] ^= @as(u8, 1) << random.int(u3),
            2 => program[place] = random.int(u8),
            3 => replaceWord(program, place, random),
            else => crossRecords(program, random),
        }
    }
}

/// Puts a word of one record into another of its table: tensors get other lengths and places, operators other operands
/// and attributes, and the whole may well hold together.
fn crossRecords(program: []u8, random: std.Random) void {
    const tables = [_]struct { format.Section, usize }{
        .{ .dimensions, @sizeOf(format.Dimension) },
        .{ .tensors, @sizeOf(format.Tensor) },
        .{ .operands, @sizeOf(u32) },
        .{ .operators, @sizeOf(format.Operator) },
    };
    const section, const record_size = tables[random.uintLessThan(usize, tables.len)];
    const entry = header_size + (@intFromEnum(section) - 1) * @sizeOf(format.SectionEntry);
    const offset = readWord(program, entry + 4);
    const size = readWord(program, entry + 8); // which may be damaged already
    if (size < record_size or @as(u64, offset) + size > program.len) return;
    const word_size: usize = if (random.boolean()) 2 else 4;
    const field = offset + random.uintLessThan(usize, record_size / word_size) * word_size;
    const from = field + random.uintLessThan(usize, size / record_size) * record_size;
    const to = field + random.uintLessThan(usize, size / record_size) * record_size;
    std.mem.copyForwards(u8, program[to..][0..word_size], program[from..][0..word_size]);
}

fn replaceWord(bytes: []u8, place: usize, random: std.Random) void {
    const at = place & ~@as(usize, 3);
    if (at + 4 > bytes.len) return;
    const old = std.mem.readInt(u32, bytes[at..][0..4], .little);
    const choices = [_]u32{
        0,           1,        2,        3,         4,         16,       64,        0xffff_ffff, 0x8000_0000,
        0x7fff_ffff, old +% 1, old -% 1, old +% 16, old -% 16, old *% 2, old +% 64, old / 2,     random.int(u32),
    };
    std.mem.writeInt(u32, bytes[at..][0..4], choices[random.uintLessThan(usize, choices.len)], .little);
}
